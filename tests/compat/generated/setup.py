"""The first half of a program: an app with its config, blueprints, hooks, handlers and views."""

from __future__ import annotations

from ..harness import SIGNALS
from .author import Author, Owner
from .hooks import BEFORE_TEARDOWN, hooks
from .views import DEFAULTS, view

CONFIG: list[tuple[str, list[str]]] = [
    ("DEBUG", ["True"]),
    ("TESTING", ["True"]),
    ("PROPAGATE_EXCEPTIONS", ["False", "True"]),
    ("TRAP_HTTP_EXCEPTIONS", ["True"]),
    ("TRAP_BAD_REQUEST_ERRORS", ["True", "False"]),
    ("APPLICATION_ROOT", ['"/root"']),
    ("SERVER_NAME", ['"localhost"', '"example.test:8080"', '"example.test"']),
    ("PREFERRED_URL_SCHEME", ['"https"']),
    ("SECRET_KEY_FALLBACKS", ['["old"]']),
    ("SESSION_COOKIE_NAME", ['"other"']),
    ("SESSION_COOKIE_DOMAIN", ['"localhost"', '"example.test"']),
    ("SESSION_COOKIE_PATH", ['"/a"']),
    ("SESSION_COOKIE_HTTPONLY", ["False"]),
    ("SESSION_COOKIE_SECURE", ["True"]),
    ("SESSION_COOKIE_SAMESITE", ['"Lax"', '"Strict"']),
    ("SESSION_COOKIE_PARTITIONED", ["True"]),
    ("SESSION_REFRESH_EACH_REQUEST", ["False"]),
    ("PERMANENT_SESSION_LIFETIME", ["60", "timedelta(hours=1)", "0"]),
    ("MAX_CONTENT_LENGTH", ["10", "0", "1000"]),
    ("MAX_FORM_MEMORY_SIZE", ["4", "500"]),
    ("MAX_FORM_PARTS", ["1"]),
    ("MAX_COOKIE_SIZE", ["50", "0"]),
    ("SEND_FILE_MAX_AGE_DEFAULT", ["60", "timedelta(minutes=5)"]),
    ("SEND_FILE_MAX_AGE_DEFAULT", ["0", "3600"]),
    ("TRUSTED_HOSTS", ['["localhost"]', '[".example.test", "localhost"]']),
    ("USE_X_SENDFILE", ["True"]),
    ("TEMPLATES_AUTO_RELOAD", ["True", "False"]),
    ("PROVIDE_AUTOMATIC_OPTIONS", ["False"]),
]
# When it opens a session is not noted: in a context that is pushed later than on Flask
# (test_differences.py).
OWN_SESSIONS = """\
class OwnSessions(web.sessions.SecureCookieSessionInterface):
    def get_cookie_path(self, app):
        return "/own"
    def save_session(self, app, session, response):
        web.note("save_session", dict(session), session.modified, session.accessed)
        super().save_session(app, session, response)
app.session_interface = OwnSessions()"""
SETTINGS = [
    "app.json.sort_keys = False",
    "app.json.compact = False",
    "app.json.compact = True",
    "app.json.ensure_ascii = False",
    'app.json.mimetype = "application/x-json"',
    "app.url_map.strict_slashes = False",
    "app.url_map.merge_slashes = False",
    "app.url_map.redirect_defaults = False",
    'app.url_map.default_subdomain = "www"',
    'app.jinja_options = {"autoescape": False}',
    "app.jinja_env.trim_blocks = True",
    "app.permanent_session_lifetime = timedelta(days=1)",
    'app.logger.setLevel("INFO")',
    'app.test_client_class = type("Client", (web.testing.FlaskClient,), {})',
    'app.response_class = type("Own", (web.Response,), {"default_mimetype": "text/x-own"})',
    'app.response_class = type("Own", (web.Response,), {"default_status": 299})',
    'app.request_class = type("Own", (web.Request,), {"max_form_parts": 2})',
    "app.wsgi_app = ProxyFix(app.wsgi_app, x_host=1)",
    "app.json.default = lambda o: type(o).__name__",
    OWN_SESSIONS,
    'app.url_build_error_handlers.append(lambda e, endpoint, values: f"/built/{endpoint}")',
    "app.url_build_error_handlers.append(lambda e, endpoint, values: None)",
    "app.shell_context_processor(dict)",
]


def setup(a: Author) -> None:
    """Write it in the order in which programs are usually written."""
    make_app(a)
    app = Owner("app", "")
    registrations = blueprints(a, a.choose([0, 0, 1, 1, 2, 3]))
    hooks(a, app)
    for _ in range(1 + a.below(4)):
        view(a, app)
    for registration in reversed(registrations):
        a.write(registration)
    if a.chance(40):
        signals = BEFORE_TEARDOWN if a.silent else SIGNALS
        names = [repr(name) for name in signals if name not in a.heard]
        a.write(f"web.listen({', '.join(names) if len(names) < len(SIGNALS) else ''})")
    if a.chance(30):
        a.write("web.note(sorted((r.rule, r.endpoint, sorted(r.methods or ()), r.subdomain,")
        a.write("    r.host, repr(r.defaults)) for r in app.url_map.iter_rules()))")


def make_app(a: Author) -> None:
    a.host_matching = a.chance(5)
    a.subdomain_matching = not a.host_matching and a.chance(15)
    options = [] if a.chance(8) else ['SECRET_KEY="key"']
    if a.host_matching:
        options += ["host_matching=True", "static_folder=None"]
    if a.subdomain_matching:
        options += ["subdomain_matching=True", 'SERVER_NAME="example.test"']
    given = {option.partition("=")[0] for option in options}
    for _ in range(a.below(7)):
        key, values = a.pick(CONFIG)
        if key not in given:
            given.add(key)
            options.append(f"{key}={a.pick(values)}")
    a.links = "TRUSTED_HOSTS" not in given
    if a.chance(10) and not a.host_matching:
        options.append('static_url_path="/files"')
    a.write(f"app = web.app({', '.join(options)})")
    a.write("app.url_map.converters.update(even=Even, list=Listed)")
    a.write(*dict.fromkeys(a.some(SETTINGS, 2)))


def blueprints(a: Author, number: int) -> list[str]:
    """Write blueprints, and return their registrations, the outermost first."""
    made, registrations = [Owner("app", "")], []
    for n in range(1, number + 1):
        parent = made[-1] if a.chance(60) else made[0]
        bp, registration = blueprint(a, f"bp{n}", parent)
        registrations.append(registration)
        made.append(bp)
        hooks(a, bp)
        for _ in range(1 + a.below(2)):
            view(a, bp)
    return registrations


def blueprint(a: Author, name: str, parent: Owner) -> tuple[Owner, str]:
    own, registered, bp = [], [], Owner(name, f"{parent.name}{name}.", parent.mount)
    prefix = a.pick(["/" + name, "/" + name, "/a", "/a/", "/<p>", "/", "/é"])
    if "<p>" in prefix and "<p>" in parent.mount:
        prefix = "/q"  # a name may be used once
    if not a.chance(12):
        (registered if a.chance(30) else own).append(f"url_prefix={prefix!r}")
        bp.mount = parent.under(prefix)
    if a.subdomain_matching and a.chance(60):
        bp.subdomain = a.pick(["api", "<sub>"]) if parent.subdomain is None else "inner"
        (registered if a.chance(30) else own).append(f"subdomain={bp.subdomain!r}")
    if a.chance(15):
        own.append(f"url_defaults={a.pick(DEFAULTS)}")
    if a.chance(15):
        own.append('static_folder="static", root_path=str(web.folder)')
    if a.chance(10):
        own.append('template_folder="bp_templates"')
    if a.chance(10):
        registered.append('name="renamed"')
        bp.name = f"{parent.name}renamed."
    a.write(f"{name} = web.Blueprint({', '.join([repr(name), repr('app'), *own])})")
    if a.chance(10):
        a.write(f"{name}.record(lambda s: web.note(s.url_prefix, s.name, s.name_prefix,")
        a.write("    s.subdomain, s.first_registration, s.url_defaults))")
    if a.chance(10):
        a.write(f'{name}.record_once(lambda s: web.note("once", s.app is app))')
    return bp, registration(a, bp, parent, registered)


def registration(a: Author, bp: Owner, parent: Owner, options: list[str]) -> str:
    call = f"{parent.variable}.register_blueprint"
    text = f"web.attempt({', '.join([call, bp.variable, *options])})"
    if a.chance(12):
        again = a.pick(['name="again", url_prefix="/again"', 'url_prefix="/twice"'])
        text += f"\nweb.attempt({call}, {bp.variable}, {again})"
    return text
