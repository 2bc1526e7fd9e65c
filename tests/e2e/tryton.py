"""A company's CRM: Tryton (PyPI's trytond, with its modules party, sale_opportunity and project) over SQLite.

    tryton.py make FILE             a company with agents, a customer and an open opportunity; slow, and done once
    tryton.py serve FILE ADDRESS    serves JSON-RPC there, under /crm/rpc/, and says when it does, with a session's token;
                                    tells what is in it, as Tryton itself reads that, for each line of the standard input
"""

import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

from trytond import config

DATABASE = "crm"
PORT = 8091
MODULES = ["party", "sale_opportunity", "project"]


def configure(file):
    """Tryton finds its database by a name in a folder."""
    file = pathlib.Path(file).resolve()
    folder = tempfile.mkdtemp(prefix="tryton-")
    os.symlink(file, pathlib.Path(folder) / f"{DATABASE}.sqlite")
    config.set("database", "uri", "sqlite://")
    config.set("database", "path", folder)
    return folder


def everything():
    from trytond.pool import Pool

    Pool.start()
    pool = Pool(DATABASE)
    pool.init()
    return pool


def make(file):
    folder = configure(file)
    pathlib.Path(file).touch()
    settings = pathlib.Path(folder) / "trytond.conf"
    settings.write_text(f"[database]\nuri = sqlite://\npath = {folder}\n")
    password = pathlib.Path(folder) / "password"
    password.write_text("password-of-the-tests\n")
    admin = [pathlib.Path(sys.executable).parent / "trytond-admin", "-c", settings, "-d", DATABASE, "-u", *MODULES]
    command = [*admin, "--email", "admin@acme.example", "--activate-dependencies"]
    subprocess.run(command, check=True, env=os.environ | {"TRYTONPASSFILE": str(password)})
    from trytond.transaction import Transaction

    pool = everything()
    with Transaction().start(DATABASE, 1):
        euro, = pool.get("currency.currency").create([{"name": "Euro", "symbol": "€", "code": "EUR"}])
        names = ["Acme", "Ana", "Boris", "Maria Petrova"]
        acme, ana, boris, maria = pool.get("party.party").create([{"name": name} for name in names])
        company, = pool.get("company.company").create([{"party": acme.id, "currency": euro.id}])
        users = pool.get("res.user")
        users.write([users(1)], {"companies": [("add", [company.id])], "company": company.id})
    with Transaction().start(DATABASE, 1, context={"company": company.id}):
        agents = [{"party": agent.id, "company": company.id} for agent in (boris, ana)]
        employees = pool.get("company.employee").create(agents)
        number = {"party": maria.id, "type": "mobile", "value": "+359 888 123 456"}
        pool.get("party.contact_mechanism").create([number])
        deal = {"party": maria.id, "company": company.id, "description": "200 tables", "employee": employees[1].id}
        pool.get("sale.opportunity").create([deal])


def serve(file, address):
    configure(file)
    pool = everything()
    from trytond.transaction import Transaction
    from trytond.wsgi import app
    from werkzeug.serving import make_server

    # Tryton binds a session to the address that its requests come from.
    with Transaction().start(DATABASE, 1, context={"_request": {"remote_addr": "127.0.0.1"}}):
        key = pool.get("ir.session").new()
    server = make_server(address, PORT, app, threaded=True)
    print(json.dumps({"way": "ready", "token": base64.b64encode(f"admin:1:{key}".encode()).decode()}), flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for _ in sys.stdin:
        print(json.dumps({"way": "look", **look(pool)}), flush=True)


def look(pool):
    from trytond.transaction import Transaction

    with Transaction().start(DATABASE, 1, context={"company": 1}, readonly=True):
        tasks = [
            {
                "name": task.name,
                "party": task.party and task.party.name,
                "status": task.status.name,
                "comment": task.comment,
            }
            for task in pool.get("project.work").search([("type", "=", "task")], order=[("id", "ASC")])
        ]
        notes = [
            {"about": note.resource.rec_name, "message": note.message}
            for note in pool.get("ir.note").search([], order=[("id", "ASC")])
        ]
    return {"tasks": tasks, "notes": notes}


if __name__ == "__main__":
    {"make": make, "serve": serve}[sys.argv[1]](*sys.argv[2:])
