"""Mail, files, shells and directories on other machines; name servers."""

from __future__ import annotations

from typing import Final

from pytest_asyncguard.catalog.clients.build import THREAD, calls, given, of
from pytest_asyncguard.catalog.rows import Call, inside

MAIL: Final = "await aiosmtplib.send(...)"
SSH: Final = "await asyncssh.connect(...)"

ROWS: Final = (
    Call(
        target="smtplib:SMTP.__init__",
        name="smtplib.SMTP",
        rule="sync-client",
        when=given(1, "host"),
        by_caller=True,
        twin=MAIL,
    ),
    *calls(
        "smtplib",
        of("SMTP", "connect sendmail send_message login starttls docmd quit"),
        "sync-client",
        MAIL,
        when=inside,
    ),
    *calls("smtplib", "SMTP.getreply", "sync-client", MAIL),
    Call(
        target="ftplib:FTP.__init__",
        name="ftplib.FTP",
        rule="sync-client",
        when=given(1, "host"),
        by_caller=True,
        twin=THREAD,
    ),
    *calls(
        "ftplib",
        of(
            "FTP",
            "connect login sendcmd voidcmd transfercmd retrbinary retrlines storbinary storlines "
            "quit",
        ),
        "sync-client",
        THREAD,
    ),
    *calls("imaplib", of("IMAP4", "__init__ _simple_command"), "sync-client", THREAD),
    *calls("poplib", of("POP3", "__init__ _getresp"), "sync-client", THREAD),
    *calls("xmlrpc.client", "Transport.request", "sync-client", THREAD, public="xmlrpc.client"),
    *calls("nntplib", "NNTP.__init__?", "sync-client", THREAD),
    *calls("telnetlib", "Telnet.open?", "sync-client", THREAD),
    *calls(
        "paramiko.client",
        of("SSHClient", "connect exec_command invoke_shell open_sftp"),
        "sync-client",
        SSH,
    ),
    *calls("paramiko.transport", "Transport.__init__ Transport.connect", "sync-client", SSH),
    *calls("paramiko.sftp_client", "SFTPClient._request", "sync-client", SSH),
    *calls("paramiko.sftp_file", "SFTPFile._read SFTPFile._write", "sync-client", SSH),
    *calls("paramiko.channel", of("Channel", "recv recv_exit_status"), "sync-client", SSH),
    # With auto_bind.
    *calls("ldap3.core.connection", "Connection.__init__", "sync-client", THREAD, when=inside),
    *calls(
        "ldap3.core.connection",
        of(
            "Connection",
            "bind rebind unbind search add delete modify modify_dn compare extended start_tls",
        ),
        "sync-client",
        THREAD,
    ),
    *calls("ldap.ldapobject", "SimpleLDAPObject._ldap_call?", "sync-client", THREAD, public="ldap"),
    *calls(
        "dns.resolver",
        "resolve Resolver.resolve",
        "sync-client",
        "await dns.asyncresolver.resolve(...)",
        public="dns.resolver",
    ),
    # What tests replace of a function that retries.
    *calls(
        "tenacity.nap",
        "sleep?",
        "sleep",
        "tenacity.AsyncRetrying",
        public="tenacity.nap",
        when=inside,
    ),
)
