"""The web pages on which data stewards read, approve and refuse, and the public reads what came of it.

app       the routes, and how the pages are served
pages     what each page shows; every change goes through `nhsgen.extracts`
guard     who is signed in, the token every form carries, the headers every answer carries
register  the public register: what was released, asked and answered, read from the audit logs
"""

from nhsgen.steward.app import create_app, serve

__all__ = ["create_app", "serve"]
