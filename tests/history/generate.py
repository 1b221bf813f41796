#!/usr/bin/env python3
"""Writes the small invented history of this folder; every run gives the same bytes.

    tests/history/generate.py            writes history.ndjson and expected-final.json
    tests/history/generate.py --check    exit 1 if the committed files differ from that

The expected state comes from fold() below, which reads the finished operations and knows nothing of
Tenantry: it is the other opinion that a replay is compared with.
"""

import datetime
import json
import pathlib
import random
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
SEED = 20310
ORGANIZATIONS = [
    ("lantern-guild", "Lantern Guild", "office@lantern-guild.example"),
    ("tidewater-press", "Tidewater Press", ""),
]
TEAMS = [
    ("lantern-guild", "glassblowers"), ("lantern-guild", "wick-trimmers"),
    ("lantern-guild", "night-watch"), ("lantern-guild", "archive"),
    ("lantern-guild", "oil-and-brass"), ("tidewater-press", "typesetters"),
    ("tidewater-press", "proof_readers"), ("tidewater-press", "ink-room"),
    ("tidewater-press", "binding"), ("tidewater-press", "couriers"),
]
# What a login may look like: capitals, digits only, signs, other scripts.
LOGINS = (
    "abel.ostrow Bryn_Tarn cass-quill dorthe+ink eldo.marsh Fenna-Voss gideonlark hesper_n "
    "ilmari.kask juno-wreath 40417 kestrel_b lior.anand maren-holt Nils.Averø odalys_p "
    "pike-rowan quentin.s rhosyn_v soren-ash tamsin.g ulla-berg vesna.k wystan_m xanthe-r "
    "yorick.d zelda-finn ambros_t birch.lane coralie-w"
).split()


class History:
    """Collects operations, an hour or a second apart, as a season of commits would."""

    def __init__(self):
        self.operations = []
        self.random = random.Random(SEED)
        self.time = datetime.datetime(2019, 3, 1, 9, 0, 0)
        self.actor = "press-robot"
        self.commit = 0
        self.members = {}  # slug -> {login: role}, to choose from when the story is told
        self.users = []

    def next_commit(self, actor="press-robot"):
        # Between 1 and 40 hours; the operations within follow one microsecond apart.
        self.time = self.time.replace(microsecond=0) + datetime.timedelta(
            seconds=self.random.randrange(3600, 144000))
        self.actor = actor
        self.commit = self.random.getrandbits(32)

    def add(self, op, **data):
        self.operations.append({
            "seq": len(self.operations) + 1,
            "at": self.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "actor": self.actor,
            "commit": f"{self.commit:08x}",
            "op": op,
            "data": data,
        })
        self.time += datetime.timedelta(microseconds=1)

    def create_tenant(self, slug, name, email, kind, parent, settings):
        self.add("create_tenant", slug=slug, name=name, contact_email=email, kind=kind,
                 parent=parent)
        self.members[slug] = {}
        if settings:
            self.update(slug, settings=settings)

    def update(self, slug, **changes):
        self.add("update_tenant", slug=slug, changes=changes)

    def join(self, slug, login, role="user"):
        if login not in self.users:
            self.users.append(login)
            self.add("create_user", username=login)
        self.members[slug][login] = role
        self.add("add_member", tenant=slug, username=login, role=role)

    def change_role(self, slug, login, role):
        self.members[slug][login] = role
        self.add("change_member_role", tenant=slug, username=login, role=role)

    def leave(self, slug, login):
        del self.members[slug][login]
        self.add("remove_member", tenant=slug, username=login)


def found_organizations(history):
    for (slug, name, email), logins in zip(ORGANIZATIONS, (LOGINS[:16], LOGINS[16:])):
        history.next_commit()
        history.create_tenant(slug, name, email, "organization", None, {
            "description": f"All of {name}", "default_repository_permission": "read",
            "has_organization_projects": True, "members_can_create_repositories": False})
        history.join(slug, logins[0], "owner")
        history.join(slug, logins[1], "owner")
        for login in logins[2:]:
            history.join(slug, login)


def found_teams(history):
    for parent, name in TEAMS:
        history.next_commit(actor=history.random.choice(["press-robot", "juno-wreath"]))
        slug = f"{parent}--{name}"
        history.create_tenant(slug, name, "", "team", parent, {
            "description": f"The {name} of {parent}", "privacy": "closed"})
        crew = history.random.sample(sorted(history.members[parent]), 5)
        history.join(slug, crew[0], "manager")
        for login in crew[1:]:
            history.join(slug, login)


def edit_settings(history):
    history.next_commit()
    history.update("lantern-guild--archive", settings={
        "description": "Maps, ledgers \u2014 and \"everything\" else", "privacy": "secret",
        "limits": {"shelves": 12, "weight": 1.50, "nested": [1, [2, {"deep": None}]]},
        "theme": {"primary_color": "#3498db"}})
    history.update("lantern-guild--archive", settings={})
    history.update("tidewater-press--ink-room", settings={
        "description": "", "previously": ["ink", "pigments"], "parent_team": "binding",
        "big": 12345678901234567890, "small": -0.0625, "flag": False})


def edit_contacts_and_names(history):
    history.next_commit(actor="cass-quill")
    history.update("lantern-guild", contact_email="")
    history.update("tidewater-press", contact_email="desk@tidewater.example",
                   name="Tidewater Press & Daughters")
    history.next_commit()
    history.update("lantern-guild", contact_email="lamps@lantern-guild.example",
                   settings={"description": "Light, and where to find it"})
    # Not an address that Tenantry takes: no host with a dot.
    history.update("tidewater-press--couriers", contact_email="the couriers' desk")
    history.update("lantern-guild--night-watch", name="Night Watch (all hours)")
    history.update("tidewater-press--binding", name="Binding & Söhne", contact_email="")


def owners_come_and_go(history):
    first, second = [login for login, role in history.members["lantern-guild"].items()
                     if role == "owner"]
    history.next_commit()
    history.change_role("lantern-guild", "gideonlark", "owner")
    history.leave("lantern-guild", first)
    history.change_role("lantern-guild", second, "user")
    history.next_commit()
    # Nobody owns the press for an hour: both leave before the next one is named.
    for login in [login for login, role in history.members["tidewater-press"].items()
                  if role == "owner"]:
        history.leave("tidewater-press", login)
    history.next_commit()
    history.change_role("tidewater-press", "tamsin.g", "owner")


def crews_change(history):
    for slug in sorted(history.members):
        if "--" not in slug:
            continue
        history.next_commit()
        members = sorted(history.members[slug])
        leaving, promoted = history.random.sample(members, 2)
        role = "user" if history.members[slug][promoted] == "manager" else "manager"
        history.change_role(slug, promoted, role)
        history.leave(slug, leaving)
    history.next_commit()
    history.join("tidewater-press--couriers", "newcomer.o")
    history.leave("tidewater-press--couriers", "newcomer.o")
    history.join("tidewater-press--couriers", "newcomer.o", "manager")


def teams_close_and_open(history):
    history.next_commit()
    for name in ("lantern-guild--oil-and-brass", "tidewater-press--binding",
                 "tidewater-press--ink-room"):
        history.add("deactivate_tenant", slug=name)
    history.next_commit()
    for name, login in (("lantern-guild--oil-and-brass", "Bryn_Tarn"),
                        ("tidewater-press--ink-room", "40417")):
        history.add("reactivate_tenant", slug=name)
        history.update(name, settings={"description": "Open again", "privacy": "closed"})
        if login not in history.members[name]:
            history.join(name, login)
    history.next_commit()
    history.add("deactivate_tenant", slug="lantern-guild--wick-trimmers")
    # The renamed team is a new tenant.
    history.create_tenant("lantern-guild--wicks", "wicks", "", "team", "lantern-guild",
                          {"previously": ["wick-trimmers"]})
    for login, role in sorted(history.members["lantern-guild--wick-trimmers"].items()):
        history.join("lantern-guild--wicks", login, role)
    # A team that nobody ever joins.
    history.create_tenant("tidewater-press--empty-shelf", "empty-shelf", "", "team",
                          "tidewater-press", None)


def tell():
    history = History()
    for chapter in (found_organizations, found_teams, edit_settings, edit_contacts_and_names,
                    owners_come_and_go, crews_change, teams_close_and_open):
        chapter(history)
    return history.operations


def fold(lines):
    """The state after all operations, from their text alone."""
    users, tenants, last = set(), {}, {}
    for last in map(json.loads, lines):
        op, data = last["op"], last["data"]
        if op == "create_user":
            users.add(data["username"])
        elif op == "create_tenant":
            tenants[data["slug"]] = {
                "slug": data["slug"], "name": data["name"], "kind": data["kind"],
                "contact_email": data["contact_email"], "settings": {}, "active": True,
                "members": {}}
        elif op == "update_tenant":
            tenants[data["slug"]].update(data["changes"])
        elif op in ("deactivate_tenant", "reactivate_tenant"):
            tenants[data["slug"]]["active"] = op == "reactivate_tenant"
        elif op == "remove_member":
            del tenants[data["tenant"]]["members"][data["username"]]
        else:
            tenants[data["tenant"]]["members"][data["username"]] = data["role"]
    return {"name": "final", "through": last["at"], "commit": last["commit"],
            "users": sorted(users), "tenants": [tenants[slug] for slug in sorted(tenants)]}


def main(arguments):
    lines = [json.dumps(operation, ensure_ascii=False, separators=(",", ":"))
             for operation in tell()]
    files = {
        "history.ndjson": "".join(line + "\n" for line in lines),
        "expected-final.json": json.dumps(fold(lines), ensure_ascii=False, indent=1,
                                          sort_keys=True) + "\n",
    }
    if arguments not in ([], ["--check"]):
        print(__doc__.strip())
        return 2
    different = 0
    for name, text in files.items():
        if not arguments:
            (FOLDER / name).write_text(text, encoding="utf-8")
            print(f"wrote {name}")
        elif (FOLDER / name).read_text(encoding="utf-8") != text:
            print(f"{name} is not what generate.py writes; run it and look at the difference")
            different = 1
    return different


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
