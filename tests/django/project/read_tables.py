"""Prints what the ORM finds in every table and through every relation: one JSON object per row,
with the columns of `tenantry rows --names`, and in `reverse` the keys of the rows that refer to it.
"""

import datetime
import json

import django

django.setup()

from django.apps import apps  # noqa: E402: there are no models before setup().

MODELS = ("auth.User", "core.Protein", "core.UserPreferences", "tenants.Tenant",
          "tenants.TenantDomain", "tenants.TenantUser", "tenants.Invitation")


def plain(value):
    if isinstance(value, datetime.datetime):
        utc = value.astimezone(datetime.timezone.utc)
        return utc.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return value


def columns_of(row):
    columns = {}
    for field in row._meta.concrete_fields:
        columns[field.column] = plain(field.value_from_object(row))
        if field.is_relation:
            other = getattr(row, field.name)
            name = "username" if field.related_model._meta.label == "auth.User" else "slug"
            columns[f"{field.name}_{name}"] = getattr(other, name, None)
    return columns


def referring_to(row):
    """Table and column → keys of the rows whose column refers to this row."""
    reverse = {}
    for relation in row._meta.related_objects:
        if relation.related_model._meta.label in MODELS:
            found = relation.related_model.objects.filter(**{relation.field.name: row})
            place = f"{relation.related_model._meta.db_table}.{relation.field.column}"
            reverse[place] = [str(key) for key in found.order_by("pk").values_list("pk", flat=True)]
    return reverse


def main():
    for label in MODELS:
        model = apps.get_model(label)
        references = [field.name for field in model._meta.concrete_fields if field.is_relation]
        for row in model.objects.select_related(*references).order_by("pk"):
            line = {"table": model._meta.db_table, "row": columns_of(row),
                    "reverse": referring_to(row)}
            print(json.dumps(line, default=str))


main()
