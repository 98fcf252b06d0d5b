"""The same question across walls: each hospital adds up its own people, and only the sum of all hospitals is ever seen.

messages       what hub and site say to each other, one spelling each; spelling: what that is
secure_sum     vectors under masks that cancel in the sum (the one file with cryptography in it)
node           a site's side: approved questions only, one roster a study, everything logged
hub            asks all sites, adds, and passes the sum through the same estimate and the same gate as everywhere else

and for methods that ask again and again, each time for what the last total suggests:

asking_again   the hub's side: a total, a step, the next state
conversation   a site's side: prepared once, then asked at one state after another, then forgotten; what a hub learns
states         what a method knows between two rounds, as text that can hold nothing else
layouts        what the sums of a round are sums of, without the numbers
fixed_point    numbers with a point as whole words, so that sums are exact and the same in any order

    nodes = [Node(site, site_key(path), peers, settings) for site, path in ...]
    nodes[0].approve(study.hash, "ben")
    Hub(nodes).ask(study, asked_by="rita")
"""

from nhsgen.federation.hub import Hub
from nhsgen.federation.node import Node
from nhsgen.federation.secure_sum import name_of, site_key

__all__ = ["Hub", "Node", "name_of", "site_key"]
