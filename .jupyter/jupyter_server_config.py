"""What `make lab` asks of JupyterLab: in front of the reader's own settings, behind options on the command line."""

import os
from pathlib import Path

import zmq
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


class PromptConnection(ZMQChannelsWebsocketConnection):
    """Kernel messages leave at once: held back to be sent together, a slider's picture comes 30 ms later."""

    async def connect(self):
        self.websocket_handler.set_nodelay(True)
        return await super().connect()


c = get_config()  # noqa: F821
c.ServerApp.kernel_websocket_connection_class = PromptConnection
c.ServerApp.ip = "127.0.0.1"
c.ServerApp.allow_root = hasattr(os, "geteuid") and os.geteuid() == 0  # in a container that is often the only user
c.ServerApp.root_dir = str(Path(__file__).resolve().parents[1])  # README, pictures and tables are in the file browser
if zmq.has("curve"):  # else other users of this machine can read on a kernel's port what it prints
    c.KernelManager.transport_encryption = "auto"
c.LabApp.default_url = "/lab/tree/notebooks/00_start_here.ipynb"
