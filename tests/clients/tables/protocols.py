"""Shells, directories and name servers."""

from __future__ import annotations

RULE = "sync-client"

ROWS = [
    {
        "name": "paramiko, refused",
        "needs": "paramiko",
        "call": """
            with contextlib.suppress(OSError):
                paramiko.SSHClient().connect("127.0.0.1", port=1)  #!
        """,
        "found": "paramiko.SSHClient.connect",
    },
    {
        "name": "ldap3 with MOCK_SYNC",
        "needs": "ldap3",
        "setup": """
            PEOPLE = ldap3.Connection("fake", "cn=a", "b", client_strategy=ldap3.MOCK_SYNC)
            PEOPLE.strategy.add_entry("cn=a", {"userPassword": "b", "sn": "x"})
            PEOPLE.bind()
        """,
        "call": "PEOPLE.search('cn=a', '(sn=x)')",
        "found": "ldap3.Connection.search",
        "twin": "ldap3.Connection('fake', 'cn=a', 'b', client_strategy=ldap3.MOCK_SYNC)",
    },
    {
        "name": "dnspython, nobody there",
        "needs": "dns.resolver",
        "setup": """
            import dns.resolver

            RESOLVER = dns.resolver.Resolver(configure=False)
            RESOLVER.nameservers, RESOLVER.lifetime = ["127.0.0.1"], 0.05
        """,
        "call": """
            with contextlib.suppress(dns.exception.DNSException):
                RESOLVER.resolve("example.test")  #!
        """,
        "found": "dns.resolver.Resolver.resolve",
    },
]
