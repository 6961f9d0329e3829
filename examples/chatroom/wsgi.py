"""What servers and the `vial` command start: the application, configured by the environment."""

from chatroom import create_app

app = create_app()
