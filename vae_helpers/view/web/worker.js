// The worker's end of the line: the first message holds the images, all others are for the session.

let session = null;
onmessage = ({ data }) => {
  if (session) session.receive(data);
  else session = new Session((report) => postMessage(report), data);
};
