"""Makes up commands from a seed, over few names that collide: accepted, refused, without effect.

Everything that the store would draw itself is given, and nothing lapses, so that the same lines
have the same answers and events wherever and whenever they are applied. Each line has an id and a
reason of its own: whatever an event says can be traced to the command that it came from.
"""

import datetime
import json
import random
import uuid

USERS = "ann Ann ann.b anna bob bob@x acme cy dee eve zoë 李 acme-1 admin".split()
SLUGS = "acme ACME acme-1 acme_1 ann bolt bolt-2 cy".split()
HOSTS = [f"{name}.{zone}" for name in "app www acme ann".split() for zone in ("example", "test")]
PROTEINS = "acme ann TP53 tp53 Acme P53 BRCA1 cy".split()
ROLES = "owner admin manager user readonly".split()
FAR = "2090-01-01T00:00:00Z"
EPOCH = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
SENSIBLE = 0.85  # The share of names that are chosen among those believed to exist.

# How often each command comes; every command there is.
WEIGHTS = {
    "register_user": 14,
    "change_user_profile": 6,
    "change_user_password": 3,
    "set_user_flags": 3,
    "record_login": 3,
    "delete_user": 3,
    "merge_users": 1,
    "create_tenant": 8,
    "change_tenant": 4,
    "change_tenant_settings": 4,
    "start_trial": 1,
    "extend_trial": 1,
    "end_trial": 1,
    "activate_tenant": 1,
    "deactivate_tenant": 1,
    "delete_tenant": 2,
    "add_domain": 7,
    "set_primary_domain": 3,
    "activate_domain": 2,
    "deactivate_domain": 2,
    "remove_domain": 2,
    "move_domain": 2,
    "add_member": 9,
    "change_member_role": 5,
    "deactivate_member": 2,
    "reactivate_member": 2,
    "remove_member": 2,
    "invite": 8,
    "extend_invitation": 1,
    "revoke_invitation": 2,
    "delete_invitation": 1,
    "accept_invitation": 4,
    "expire_invitations": 1,
    "set_preferences": 5,
    "delete_preferences": 1,
    "add_protein": 5,
    "rename_protein": 3,
    "remove_protein": 2,
}


class Commands:
    """An endless sequence of commands; the same for the same seed."""

    def __init__(self, seed):
        self.random = random.Random(f"commands {seed}")
        self.number = 0
        # What is believed to be there: a guess at the rules, only to make refusals the exception.
        self.users = set()
        self.tenants = set()
        self.hosts = {}
        self.members = set()
        self.invitations = []
        self.proteins = set()

    def line(self):
        """The next command as an object, with the time that `apply --historic` records."""
        self.number += 1
        name = self.random.choices(list(WEIGHTS), WEIGHTS.values())[0]
        return {
            "command": name,
            "data": getattr(self, name)(),
            "id": self.uuid(),
            "actor": self.random.choice(["user:1", "user:2", "system:test"]),
            "channel": self.random.choice(["api", "admin"]),
            "reason": f"command {self.number}",
            "at": (EPOCH + datetime.timedelta(seconds=self.number)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def uuid(self):
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def one_of(self, known, all_names):
        if known and self.random.random() < SENSIBLE:
            return self.random.choice(sorted(known))
        return self.random.choice(all_names)

    def new_of(self, known, all_names):
        free = [name for name in all_names if name not in known]
        return self.one_of(free, all_names)

    def user(self):
        return self.one_of(self.users, USERS)

    def tenant(self):
        return self.one_of(self.tenants, [slug.lower() for slug in SLUGS])

    def host(self):
        return self.one_of(self.hosts, HOSTS)

    def member(self):
        """A tenant and a user of it, for the most part."""
        if self.members and self.random.random() < SENSIBLE:
            tenant, user = self.random.choice(sorted(self.members))
        else:
            tenant, user = self.tenant(), self.user()
        return {"tenant": tenant, "user": user}

    def mark(self):
        return f"m{self.number}"

    def new_user(self):
        name = self.new_of(self.users, USERS)
        self.users.add(name)
        return {
            "username": name,
            "email": f"{self.mark()}@acme.example",
            "first_name": self.mark(),
            "password": f"pbkdf2_sha256$600000${self.mark()}$hash",
        }

    def register_user(self):
        return self.new_user()

    def change_user_profile(self):
        old = self.user()
        if self.random.random() < 0.6:
            return {"user": old, "last_name": self.mark(), "email": f"{self.mark()}@b.example"}
        new = self.new_of(self.users, USERS)
        if old in self.users:
            self.users = self.users - {old} | {new}
            self.members = {(t, new if u == old else u) for t, u in self.members}
        return {"user": old, "username": new}

    def change_user_password(self):
        return {"user": self.user(), "password": f"pbkdf2_sha256$600000${self.mark()}$new"}

    def set_user_flags(self):
        flag = self.random.choice(["is_active", "is_staff", "is_superuser"])
        return {"user": self.user(), flag: self.random.random() < 0.5}

    def record_login(self):
        return {"user": self.user(), "time": f"2023-06-01T00:00:{self.number % 60:02}.5Z"}

    def forget_user(self, name):
        self.users.discard(name)
        self.members = {(t, u) for t, u in self.members if u != name}

    def delete_user(self):
        name = self.user()
        self.forget_user(name)
        return {"user": name, "force": self.random.random() < 0.7}

    def merge_users(self):
        gone, kept = self.user(), self.user()
        self.forget_user(gone)
        return {"user": gone, "into": kept}

    def create_tenant(self):
        slug = self.new_of(self.tenants, SLUGS)
        self.tenants.add(slug.lower())
        data = {
            "id": self.uuid(),
            "slug": slug,
            "name": f"Tenant {self.mark()}",
            "contact_email": f"{self.mark()}@t.example",
            "settings": {"mark": self.number, "theme": {"mode": "dark"}},
        }
        if self.random.random() < 0.7:
            data["owner"] = self.user()
            self.members.add((slug.lower(), data["owner"]))
        if self.random.random() < 0.6:
            data["domain"] = self.new_of(self.hosts, HOSTS)
            self.hosts[data["domain"]] = slug.lower()
        return data

    def change_tenant(self):
        if self.random.random() < 0.3:
            old, new = self.tenant(), self.new_of(self.tenants, SLUGS)
            if old in self.tenants:
                self.tenants = self.tenants - {old} | {new.lower()}
                self.members = {(new.lower() if t == old else t, u) for t, u in self.members}
            return {"tenant": old, "slug": new, "schema_name": None}
        return {"tenant": self.tenant(), "name": self.mark(), "contact_phone": f"+{self.number}"}

    def change_tenant_settings(self):
        way = self.random.choice(["merge", "replace"])
        return {"tenant": self.tenant(), way: {"mark": self.number, "é": [1.5, None, self.mark()]}}

    def start_trial(self):
        return {"tenant": self.tenant(), "ends_at": FAR}

    def extend_trial(self):
        return {"tenant": self.tenant(), "ends_at": f"2091-01-01T00:00:{self.number % 60:02}Z"}

    def end_trial(self):
        return {"tenant": self.tenant()}

    def activate_tenant(self):
        return {"tenant": self.tenant()}

    def deactivate_tenant(self):
        return {"tenant": self.tenant()}

    def delete_tenant(self):
        slug = self.tenant()
        self.tenants.discard(slug)
        self.members = {(t, u) for t, u in self.members if t != slug}
        self.hosts = {h: t for h, t in self.hosts.items() if t != slug}
        return {"tenant": slug, "confirm": slug}

    def add_domain(self):
        host, tenant = self.new_of(self.hosts, HOSTS), self.tenant()
        self.hosts[host] = tenant
        return {"tenant": tenant, "domain": host, "is_primary": self.random.random() < 0.4}

    def set_primary_domain(self):
        return {"domain": self.host()}

    def activate_domain(self):
        return {"domain": self.host()}

    def deactivate_domain(self):
        return {"domain": self.host()}

    def remove_domain(self):
        host = self.host()
        self.hosts.pop(host, None)
        return {"domain": host}

    def move_domain(self):
        host, tenant = self.host(), self.tenant()
        source = self.hosts.get(host, self.tenant())
        if host in self.hosts:
            self.hosts[host] = tenant
        return {"domain": host, "from_tenant": source, "to_tenant": tenant}

    def add_member(self):
        tenant, user = self.tenant(), self.user()
        self.members.add((tenant, user))
        return {"tenant": tenant, "user": user, "role": self.random.choice(ROLES)}

    def change_member_role(self):
        force = self.random.random() < 0.5
        return {**self.member(), "role": self.random.choice(ROLES), "force": force}

    def deactivate_member(self):
        return {**self.member(), "force": True}

    def reactivate_member(self):
        return self.member()

    def remove_member(self):
        member = self.member()
        self.members.discard((member["tenant"], member["user"]))
        return {**member, "force": True}

    def invite(self):
        token = f"token-{self.uuid()}-{self.number}"
        self.invitations.append(token)
        return {
            "id": self.uuid(),
            "tenant": self.tenant(),
            "email": f"guest{self.random.randrange(6)}@x.example",
            "message": self.mark(),
            "token": token,
            "expires_at": FAR,
        }

    def invitation(self, last=False):
        if not self.invitations:
            return self.uuid()
        token = self.random.choice(self.invitations)
        if last:
            self.invitations.remove(token)
        return token

    def extend_invitation(self):
        return {"invitation": self.invitation(), "expires_at": "2095-01-01T00:00:00Z"}

    def revoke_invitation(self):
        return {"invitation": self.invitation(last=True)}

    def delete_invitation(self):
        return {"invitation": self.invitation(last=True)}

    def accept_invitation(self):
        accepted = {"invitation": self.invitation(last=True), "any_email": True}
        if self.random.random() < 0.5:
            return {**accepted, "user": self.user()}
        return {**accepted, "new_user": self.new_user()}

    def expire_invitations(self):
        return {"tenant": self.tenant()}

    def set_preferences(self):
        return {
            "user": self.user(),
            "theme": self.random.choice(["light", "dark", "auto"]),
            "dashboard_layout": {"mark": self.number},
        }

    def delete_preferences(self):
        return {"user": self.user()}

    def add_protein(self):
        name = self.new_of(self.proteins, PROTEINS)
        self.proteins.add(name)
        return {"name": name}

    def rename_protein(self):
        old, new = self.one_of(self.proteins, PROTEINS), self.new_of(self.proteins, PROTEINS)
        if old in self.proteins:
            self.proteins = self.proteins - {old} | {new}
        return {"protein": old, "name": new}

    def remove_protein(self):
        name = self.one_of(self.proteins, PROTEINS)
        self.proteins.discard(name)
        return {"protein": name}


def encode(line, historic):
    """As `apply` reads it; the time only where history is applied."""
    kept = line if historic else {key: value for key, value in line.items() if key != "at"}
    return json.dumps(kept, ensure_ascii=False).encode() + b"\n"


def lines_of(seed, number):
    """The first commands of the seed, to be recorded now."""
    made = Commands(seed)
    return b"".join(encode(made.line(), historic=False) for _ in range(number))


def command_line(kind, data, draw):
    """A line with an id out of `draw`."""
    name = str(uuid.UUID(int=draw.getrandbits(128), version=4))
    whole = {"command": kind, "data": data, "id": name}
    return json.dumps(whole, separators=(",", ":")).encode()
