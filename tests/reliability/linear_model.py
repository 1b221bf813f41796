"""A plain model of the commands that linear_history draws: what each answers on a state, and what
it makes of it. Written from the rules, in words of its own; shares nothing with the store."""

from dataclasses import dataclass, field

ROLES = ["owner", "admin", "manager", "user", "readonly"]


class Refused(Exception):
    """A rule refuses the command; the argument is its code."""


@dataclass
class Outcome:
    count: int  # Events.
    entity: list = None  # Kind, id, what people know it by.


@dataclass
class State:
    """Rows by id; nothing else."""

    users: dict = field(default_factory=dict)
    tenants: dict = field(default_factory=dict)
    domains: dict = field(default_factory=dict)
    members: dict = field(default_factory=dict)
    invitations: dict = field(default_factory=dict)
    proteins: dict = field(default_factory=dict)
    largest: dict = field(default_factory=dict)  # Ids that were ever used, by table.

    def copy(self):
        tables = {
            name: {key: dict(row) for key, row in getattr(self, name).items()} for name in TABLES
        }
        return State(**tables, largest=dict(self.largest))

    def next_id(self, table):
        self.largest[table] = self.largest.get(table, 0) + 1
        return self.largest[table]


TABLES = ["users", "tenants", "domains", "members", "invitations", "proteins"]


def find(rows, code="not_found", **values):
    """The id of the row that has the values; none is refused, unless without a code."""
    for key, row in rows.items():
        if all(row[column] == value for column, value in values.items()):
            return key
    if code is None:
        return None
    raise Refused(code)


def refuse_if(condition, code):
    if condition:
        raise Refused(code)


def user_of(state, data, key="user"):
    return find(state.users, username=data[key])


def tenant_of(state, data, key="tenant"):
    return find(state.tenants, slug=data[key])


# --- users ----------------------------------------------------------------------------------------


def register_user(state, data):
    refuse_if(find(state.users, None, username=data["username"]) is not None, "username_taken")
    key = state.next_id("users")
    state.users[key] = {
        "username": data["username"],
        "email": data["email"],
        "first_name": data["first_name"],
    }
    return Outcome(1, ["user", str(key), data["username"]])


def change_user_profile(state, data):
    key = user_of(state, data)
    holder = find(state.users, None, username=data["username"])
    refuse_if(holder not in (None, key), "username_taken")
    row = state.users[key]
    renamed = row["username"] != data["username"]
    changed = row["first_name"] != data["first_name"]
    row["username"] = data["username"]
    row["first_name"] = data["first_name"]
    return Outcome(renamed + changed, ["user", str(key), data["username"]])


def active_owners(state, tenant):
    return [
        key
        for key, row in state.members.items()
        if row["tenant"] == tenant and row["role"] == "owner" and row["active"]
    ]


def refuse_losing_owner(state, member):
    """A tenant that has an active owner keeps one."""
    refuse_if(active_owners(state, state.members[member]["tenant"]) == [member], "last_owner")


def delete_user(state, data):
    key = user_of(state, data)
    own = [member for member, row in state.members.items() if row["user"] == key]
    if not data["force"]:
        for member in own:
            refuse_losing_owner(state, member)
    for member in own:
        del state.members[member]
    accepted = [row for row in state.invitations.values() if row["accepted_by"] == key]
    for row in accepted:
        row["accepted_by"] = None
    username = state.users.pop(key)["username"]
    return Outcome(len(own) + len(accepted) + 1, ["user", str(key), username])


# --- tenants and domains --------------------------------------------------------------------------


def create_tenant(state, data):
    owner = user_of(state, data, "owner") if "owner" in data else None
    refuse_if(data["id"] in state.tenants, "id_taken")
    refuse_if(find(state.tenants, None, slug=data["slug"]) is not None, "slug_taken")
    schema = data["slug"].replace("-", "_")
    refuse_if(find(state.tenants, None, schema_name=schema) is not None, "schema_name_taken")
    if "domain" in data:
        refuse_if(find(state.domains, None, domain=data["domain"]) is not None, "domain_taken")
    state.tenants[data["id"]] = {
        "slug": data["slug"],
        "schema_name": schema,
        "name": data["name"],
        "is_active": True,
    }
    if "domain" in data:
        add_domain_row(state, data["id"], data["domain"], True)
    if owner is not None:
        add_member_row(state, data["id"], owner, "owner")
    count = 1 + ("domain" in data) + (owner is not None)
    return Outcome(count, ["tenant", data["id"], data["slug"]])


def change_tenant(state, data):
    key = tenant_of(state, data)
    holder = find(state.tenants, None, slug=data["slug"])
    refuse_if(holder not in (None, key), "slug_taken")
    row = state.tenants[key]
    count = (row["name"] != data["name"]) + (row["slug"] != data["slug"])
    row["name"] = data["name"]
    row["slug"] = data["slug"]
    return Outcome(count, ["tenant", key, data["slug"]])


def delete_tenant(state, data):
    key = tenant_of(state, data)
    refuse_if(data["confirm"] != data["tenant"], "confirmation_mismatch")
    count = 1
    for rows in (state.domains, state.members, state.invitations):
        for other in [other for other, row in rows.items() if row["tenant"] == key]:
            del rows[other]
            count += 1
    del state.tenants[key]
    return Outcome(count, ["tenant", key, data["tenant"]])


def set_active(state, data, active):
    key = tenant_of(state, data)
    row = state.tenants[key]
    count = int(row["is_active"] != active)
    row["is_active"] = active
    return Outcome(count, ["tenant", key, row["slug"]])


def add_domain_row(state, tenant, host, primary):
    key = state.next_id("domains")
    state.domains[key] = {"domain": host, "tenant": tenant, "is_primary": primary}
    return key


def primary_of(state, tenant):
    return find(state.domains, None, tenant=tenant, is_primary=True)


def add_domain(state, data):
    tenant = tenant_of(state, data)
    refuse_if(find(state.domains, None, domain=data["domain"]) is not None, "domain_taken")
    present = primary_of(state, tenant)
    primary = data["is_primary"] or present is None
    demoted = primary and present is not None
    if demoted:
        state.domains[present]["is_primary"] = False
    key = add_domain_row(state, tenant, data["domain"], primary)
    return Outcome(1 + demoted, ["domain", str(key), data["domain"]])


def domain_of(state, data):
    return find(state.domains, domain=data["domain"])


def set_primary_domain(state, data):
    key = domain_of(state, data)
    present = primary_of(state, state.domains[key]["tenant"])
    entity = ["domain", str(key), data["domain"]]
    if present == key:
        return Outcome(0, entity)
    state.domains[present]["is_primary"] = False
    state.domains[key]["is_primary"] = True
    return Outcome(2, entity)


def hand_over(state, tenant):
    """The oldest domain becomes primary where there is none; whether one did."""
    rest = [key for key, row in state.domains.items() if row["tenant"] == tenant]
    if not rest or primary_of(state, tenant) is not None:
        return False
    state.domains[min(rest)]["is_primary"] = True
    return True


def remove_domain(state, data):
    key = domain_of(state, data)
    tenant = state.domains.pop(key)["tenant"]
    return Outcome(1 + hand_over(state, tenant), ["domain", str(key), data["domain"]])


def move_domain(state, data):
    key = domain_of(state, data)
    source = tenant_of(state, data, "from_tenant")
    target = tenant_of(state, data, "to_tenant")
    row = state.domains[key]
    refuse_if(row["tenant"] != source, "not_found")
    entity = ["domain", str(key), data["domain"]]
    if source == target:
        return Outcome(0, entity)
    row["is_primary"] = primary_of(state, target) is None
    row["tenant"] = target
    return Outcome(1 + hand_over(state, source), entity)


# --- members and invitations ----------------------------------------------------------------------


def add_member_row(state, tenant, user, role):
    key = state.next_id("members")
    state.members[key] = {"tenant": tenant, "user": user, "role": role, "active": True}
    return key


def member_entity(state, member, data):
    return ["member", str(member), f"{data['tenant']}/{data['user']}"]


def bring_back(row, role):
    """An inactive member with a role; the events that takes."""
    changed = row["role"] != role
    row["active"] = True
    row["role"] = role
    return 1 + changed


def add_member(state, data):
    tenant = tenant_of(state, data)
    user = user_of(state, data)
    member = find(state.members, None, tenant=tenant, user=user)
    if member is None:
        member = add_member_row(state, tenant, user, data["role"])
        return Outcome(1, member_entity(state, member, data))
    refuse_if(state.members[member]["active"], "already_member")
    count = bring_back(state.members[member], data["role"])
    return Outcome(count, member_entity(state, member, data))


def member_of(state, data):
    tenant = tenant_of(state, data)
    user = user_of(state, data)
    return find(state.members, tenant=tenant, user=user)


def change_member_role(state, data):
    member = member_of(state, data)
    row = state.members[member]
    if row["role"] == data["role"]:
        return Outcome(0, member_entity(state, member, data))
    refuse_losing_owner(state, member)
    row["role"] = data["role"]
    return Outcome(1, member_entity(state, member, data))


def deactivate_member(state, data):
    member = member_of(state, data)
    row = state.members[member]
    if not row["active"]:
        return Outcome(0, member_entity(state, member, data))
    refuse_losing_owner(state, member)
    row["active"] = False
    return Outcome(1, member_entity(state, member, data))


def remove_member(state, data):
    member = member_of(state, data)
    refuse_losing_owner(state, member)
    del state.members[member]
    return Outcome(1, member_entity(state, member, data))


def has_active_member(state, tenant, email):
    return any(
        row["tenant"] == tenant
        and row["active"]
        and state.users[row["user"]]["email"].lower() == email.lower()
        for row in state.members.values()
    )


def invite(state, data):
    tenant = tenant_of(state, data)
    refuse_if(data["id"] in state.invitations, "id_taken")
    pending = any(
        row["tenant"] == tenant
        and row["status"] == "pending"
        and row["email"].lower() == data["email"].lower()
        for row in state.invitations.values()
    )
    refuse_if(pending, "pending_invitation_exists")
    refuse_if(has_active_member(state, tenant, data["email"]), "already_member")
    refuse_if(find(state.invitations, None, token=data["token"]) is not None, "token_taken")
    state.invitations[data["id"]] = {
        "tenant": tenant,
        "email": data["email"],
        "token": data["token"],
        "status": "pending",
        "message": data["message"],
        "accepted_by": None,
    }
    return Outcome(1, ["invitation", data["id"], data["email"]])


def accept_invitation(state, data):
    key = find(state.invitations, token=data["invitation"])
    user = user_of(state, data)
    row = state.invitations[key]
    refuse_if(row["status"] == "accepted", "invitation_already_accepted")
    refuse_if(row["status"] != "pending", "invitation_not_pending")
    refuse_if(not state.tenants[row["tenant"]]["is_active"], "tenant_inactive")
    matches = state.users[user]["email"].lower() == row["email"].lower()
    refuse_if(not matches and not data["any_email"], "email_mismatch")
    member = find(state.members, None, tenant=row["tenant"], user=user)
    if member is None:
        add_member_row(state, row["tenant"], user, "user")
        count = 1
    else:
        refuse_if(state.members[member]["active"], "already_member")
        count = bring_back(state.members[member], "user")
    row["status"] = "accepted"
    row["accepted_by"] = user
    return Outcome(count + 1, ["invitation", key, row["email"]])


def revoke_invitation(state, data):
    key = find(state.invitations, token=data["invitation"])
    row = state.invitations[key]
    refuse_if(row["status"] == "accepted", "invitation_already_accepted")
    count = int(row["status"] != "revoked")
    row["status"] = "revoked"
    return Outcome(count, ["invitation", key, row["email"]])


# --- proteins -------------------------------------------------------------------------------------


def add_protein(state, data):
    refuse_if(find(state.proteins, None, name=data["name"]) is not None, "protein_taken")
    key = state.next_id("proteins")
    state.proteins[key] = {"name": data["name"]}
    return Outcome(1, ["protein", str(key), data["name"]])


def rename_protein(state, data):
    key = find(state.proteins, name=data["protein"])
    holder = find(state.proteins, None, name=data["name"])
    refuse_if(holder not in (None, key), "protein_taken")
    count = int(state.proteins[key]["name"] != data["name"])
    state.proteins[key]["name"] = data["name"]
    return Outcome(count, ["protein", str(key), data["name"]])


COMMANDS = {
    "register_user": register_user,
    "change_user_profile": change_user_profile,
    "delete_user": delete_user,
    "create_tenant": create_tenant,
    "change_tenant": change_tenant,
    "delete_tenant": delete_tenant,
    "activate_tenant": lambda state, data: set_active(state, data, True),
    "deactivate_tenant": lambda state, data: set_active(state, data, False),
    "add_domain": add_domain,
    "set_primary_domain": set_primary_domain,
    "remove_domain": remove_domain,
    "move_domain": move_domain,
    "add_member": add_member,
    "change_member_role": change_member_role,
    "deactivate_member": deactivate_member,
    "remove_member": remove_member,
    "invite": invite,
    "accept_invitation": accept_invitation,
    "revoke_invitation": revoke_invitation,
    "add_protein": add_protein,
    "rename_protein": rename_protein,
}


def decide(state, command):
    """The state after the command and its outcome; the same state and a code if it is refused."""
    after = state.copy()
    try:
        return after, COMMANDS[command["command"]](after, command["data"])
    except Refused as refused:
        return state, str(refused)


# --- reads ----------------------------------------------------------------------------------------


def found(state, tenant, matched):
    row = state.tenants[tenant]
    return {"tenant": tenant, "slug": row["slug"], "name": row["name"], "matched": matched}


def resolve_host(state, host):
    domain = find(state.domains, None, domain=host)
    if domain is not None and state.tenants[state.domains[domain]["tenant"]]["is_active"]:
        return found(state, state.domains[domain]["tenant"], "domain")
    tenant = find(state.tenants, None, slug=host.split(".")[0], is_active=True)
    return found(state, tenant, "subdomain") if tenant is not None else {"code": "not_found"}


def resolve_user(state, username):
    user = find(state.users, None, username=username)
    own = [
        (ROLES.index(row["role"]), key, row["tenant"])
        for key, row in state.members.items()
        if row["user"] == user and row["active"] and state.tenants[row["tenant"]]["is_active"]
    ]
    return found(state, min(own)[2], "membership") if own else {"code": "not_found"}


# The columns that the model knows, by table of the store: (the model's table, its columns).
COLUMNS = {
    "auth_user": ("users", ["username", "email", "first_name"]),
    "tenants_tenant": ("tenants", ["slug", "schema_name", "name", "is_active"]),
    "tenants_tenantdomain": ("domains", ["domain", "tenant_id", "is_primary"]),
    "tenants_tenant_user": ("members", ["tenant_id", "user_id", "role", "is_active"]),
    "tenants_invitation": (
        "invitations",
        ["tenant_id", "email", "token", "status", "message", "accepted_by_id"],
    ),
    "core_protein": ("proteins", ["name"]),
}
MODEL_NAMES = {"tenant_id": "tenant", "user_id": "user", "accepted_by_id": "accepted_by"}


def model_name(table, column):
    if table == "members" and column == "is_active":
        return "active"
    return MODEL_NAMES.get(column, column)


def different_table(state, rows):
    """The first table of the store whose rows are not those of the state; none if all are."""
    for name, (table, columns) in COLUMNS.items():
        read = {
            row["id"]: {model_name(table, column): row[column] for column in columns}
            for row in rows[name]
        }
        if read != getattr(state, table):
            return name
    return None
