"""Whether a value is what a JSON schema says, as far as doc/openapi.json uses
it: a keyword that is not known here fails."""
import re

TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and
    not isinstance(v, bool),
    "null": lambda v: v is None,
}


class Schemas:
    def __init__(self, document):
        self.document = document

    def look_up(self, ref):
        found = self.document
        for word in ref.removeprefix("#/").split("/"):
            found = found[word]
        return found

    def problems(self, value, schema, at="$"):
        """A list of texts: where, and what is wrong."""
        found = []
        for word, says in schema.items():
            found += getattr(self, "check_" + word.strip("$"))(
                value, says, schema, at)
        return found

    def check_ref(self, value, says, _, at):
        return self.problems(value, self.look_up(says), at)

    def check_type(self, value, says, _, at):
        names = [says] if isinstance(says, str) else says
        ok = any(TYPES[name](value) for name in names)
        return [] if ok else [f"{at}: {value!r} is no {says}"]

    def check_enum(self, value, says, _, at):
        return [] if value in says else [f"{at}: {value!r} not in {says}"]

    def check_const(self, value, says, _, at):
        return [] if value == says else [f"{at}: {value!r} is not {says!r}"]

    def check_pattern(self, value, says, _, at):
        return [] if re.search(says, value) else [f"{at}: {value!r}: {says}"]

    def check_minimum(self, value, says, _, at):
        return [] if value >= says else [f"{at}: {value} below {says}"]

    def check_maximum(self, value, says, _, at):
        return [] if value <= says else [f"{at}: {value} above {says}"]

    def check_oneOf(self, value, says, _, at):
        each = [self.problems(value, one, at) for one in says]
        return [] if sum(not p for p in each) == 1 else sum(each, [])

    def check_items(self, value, says, _, at):
        rows = value if isinstance(value, list) else []
        return [p for i, one in enumerate(rows)
                for p in self.problems(one, says, f"{at}[{i}]")]

    def check_required(self, value, says, _, at):
        row = value if isinstance(value, dict) else says
        return [f"{at}: {key} is missing" for key in says if key not in row]

    def check_properties(self, value, says, _, at):
        return [p for key, one in says.items()
                if isinstance(value, dict) and key in value
                for p in self.problems(value[key], one, f"{at}.{key}")]

    def check_additionalProperties(self, value, says, schema, at):
        if not isinstance(value, dict):
            return []
        more = set(value) - set(schema.get("properties", ()))
        if says is False:
            return [f"{at}: {key} is not described" for key in sorted(more)]
        return [p for key in more
                for p in self.problems(value[key], says, f"{at}.{key}")]

    def check_description(self, *_):
        return []
