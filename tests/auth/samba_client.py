"""The initiating side of a log-on by Samba's library, as in smbclient; for the system's Python, not the tests'.

Takes user, password, domain, mechanism and wanted features as arguments. Reads the server's tokens in hexadecimal, a
line each, and writes "more TOKEN" or "done TOKEN", and after the end "key KEY".
"""

import sys

from samba import credentials, gensec, param


def main() -> None:
    user, password, domain, mechanism, features = sys.argv[1:6]
    parameters = param.LoadParm()
    parameters.set("netbios name", "CLIENT")
    login = credentials.Credentials()
    login.guess(parameters)
    login.set_kerberos_state(credentials.DONT_USE_KERBEROS)
    if user:
        login.set_username(user)
        login.set_password(password)
        login.set_domain(domain)
    else:
        login.set_anonymous()
    client = gensec.Security.start_client(settings={"lp_ctx": parameters, "target_hostname": "files"})
    client.set_credentials(login)
    for feature in features.split(","):
        client.want_feature(getattr(gensec, f"FEATURE_{feature}"))
    client.start_mech_by_name(mechanism)
    done = False
    while not done:
        done, token = client.update(bytes.fromhex(sys.stdin.readline()))
        print("done" if done else "more", (token or b"").hex(), flush=True)
    print("key", client.session_key().hex(), flush=True)


main()
