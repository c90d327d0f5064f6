// The line to the training: a worker, or where the page may not have one, a session in this thread.

const PATIENCE = 8000; // milliseconds for a worker to answer at all

class Port {
  constructor(source, given, hear, again) { // source: the worker's script; again(): the worker failed, start anew
    this.session = null;
    try {
      const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      this.worker = new Worker(address);
      const replace = () => { this.worker.terminate(); this.inside(given, hear); again(); };
      const silent = setTimeout(replace, PATIENCE);
      this.worker.onmessage = ({ data }) => { clearTimeout(silent); URL.revokeObjectURL(address); hear(data); };
      this.worker.onerror = (event) => { event.preventDefault(); clearTimeout(silent); replace(); };
      this.worker.postMessage(given);
    } catch (error) {
      this.inside(given, hear);
    }
  }

  inside(given, hear) {
    this.session = new Session((report) => setTimeout(() => hear(report), 0), given);
  }

  send(message) {
    if (this.session) this.session.receive(message); else this.worker.postMessage(message);
  }
}
