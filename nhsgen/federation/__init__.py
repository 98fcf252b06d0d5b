"""The same question across walls: each hospital adds up its own people, and only the sum of all hospitals is ever seen.

messages     what hub and site say to each other: three messages, one spelling each
secure_sum   vectors under masks that cancel in the sum (the one file with cryptography in it)
node         a site's side: approved questions only, one roster a study, everything logged
hub          asks all sites, adds, and passes the sum through the same estimate and the same gate as everywhere else

    nodes = [Node(site, site_key(path), peers, settings) for site, path in ...]
    nodes[0].approve(study.hash, "ben")
    Hub(nodes).ask(study, asked_by="rita")
"""

from nhsgen.federation.hub import Hub
from nhsgen.federation.node import Node
from nhsgen.federation.secure_sum import name_of, site_key

__all__ = ["Hub", "Node", "name_of", "site_key"]
