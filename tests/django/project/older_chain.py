"""The same tables as an application with a past has them: sixteen migrations more, one after the
other, each adding a column where it was thought of, and two of them by hand.

    older_chain.py DIRECTORY

makes packages of them in the directory, and prints Django's MIGRATION_MODULES for them.
"""

import importlib
import json
import pathlib
import sys

from django.db import migrations

# The fields that came later, in the order in which they did.
LATER = {
    "core": ["userpreferences.widget_preferences", "userpreferences.sidebar_collapsed"],
    "tenants": [
        "tenant.is_trial",
        "tenant.contact_phone",
        "tenant.settings",
        "tenant.is_active",
        "tenant.logo",
        "tenantuser.role",
        "tenantuser.is_active",
        "tenantdomain.is_primary",
        "invitation.message",
        "invitation.status",
    ],
}
# The unique rule that somebody made as a plain index, and the index that somebody dropped.
BY_HAND = [
    migrations.RunSQL(
        "CREATE UNIQUE INDEX one_membership ON tenants_tenant_user (tenant_id, user_id)"
    ),
    migrations.RunSQL("DROP INDEX tenants_tenant_slug_0a9b71e6_like"),
]


def steps_of(app):
    """One list of operations for each migration."""
    whole = importlib.import_module(f"{app}.migrations.0001_initial").Migration.operations
    later = LATER[app]
    first, columns, last = [], {}, []
    for operation in whole:
        if not isinstance(operation, migrations.CreateModel):
            last.append(operation)
            continue
        model = operation.name.lower()
        fields = []
        for name, field in operation.fields:
            if f"{model}.{name}" in later:
                columns[f"{model}.{name}"] = migrations.AddField(model, name, field)
            else:
                fields.append((name, field))
        options = dict(operation.options)
        last += [migrations.AddIndex(model, index) for index in options.pop("indexes", [])]
        options.pop("unique_together", None)
        first.append(migrations.CreateModel(operation.name, fields, options))
    by_hand = [[step] for step in BY_HAND] if app == "tenants" else []
    return [first, *([columns[name]] for name in later), last, *by_hand]


def write_packages(directory):
    """MIGRATION_MODULES of packages in `directory`, which is to be on Python's path."""
    modules = {}
    for app in LATER:
        package = pathlib.Path(directory) / f"older_{app}"
        package.mkdir()
        (package / "__init__.py").touch()
        for number in range(len(steps_of(app))):
            (package / f"{name_of(number)}.py").write_text(
                f"from older_chain import migration\n\n\nMigration = migration({app!r}, {number})\n"
            )
        modules[app] = package.name
    return modules


def name_of(number):
    return f"{number + 1:04}_" + ("step" if number else "initial")


def migration(app, number):
    users = ("auth", "0012_alter_user_first_name_max_length")
    before = [(app, name_of(number - 1)) if number else users]
    return type(
        "Migration",
        (migrations.Migration,),
        {"initial": number == 0, "dependencies": before, "operations": steps_of(app)[number]},
    )


if __name__ == "__main__":
    print(json.dumps(write_packages(sys.argv[1])))
