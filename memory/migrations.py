"""The numbered, append-only changes that make memory.db what it is."""

from typing import Any

from memory.fulltext import index_new

TABLES = """
create table messages (
  id integer primary key,
  source text not null,
  kind text not null,
  external_id text not null,
  conversation text not null default '',
  author text not null,
  recipients text not null default '[]',
  sent_at text,
  subject text not null default '',
  text text not null,
  reply_to text not null default '',
  origin text not null default 'spoken',
  path text not null default '',
  ingested_at text not null,
  unique (source, external_id)
);
create index messages_sent_at on messages (sent_at);
create table versions (
  id integer primary key,
  message_id integer not null references messages (id) on delete cascade,
  subject text not null,
  text text not null,
  replaced_at text not null
);
create index versions_message_id on versions (message_id);
create table rejects (
  id integer primary key,
  source text not null,
  path text not null,
  place text not null,
  reason text not null,
  seen_at text not null,
  unique (source, path, place)
);
create table cursors (
  source text not null,
  path text not null,
  device integer not null,
  inode integer not null,
  size integer not null,
  mtime_ns integer not null,
  seen_at text not null,
  primary key (source, path)
);
create table periods (
  period_key text primary key,
  attempts integer not null default 0,
  last_attempt_at text
);
create table nights (
  id text primary key,
  period_key text,
  "trigger" text,
  started_at text,
  finished_at text,
  verdict text,
  stage text,
  reason text,
  base text,
  dataset_hash text,
  config_hash text,
  pid integer,
  summary text
);
create table stages (
  night text not null,
  name text not null,
  attempt integer not null,
  started_at text,
  seconds real,
  status text,
  summary text,
  primary key (night, name, attempt)
);
create table generations (
  id text primary key,
  created_at text,
  base text,
  lineage text,
  files text,
  scores text,
  tag text,
  digest text,
  pinned integer not null default 0,
  retired_at text
);
create table state (
  key text primary key,
  value text
);
create virtual table messages_fts using fts5(
  subject, text, content='messages', content_rowid='id', tokenize='unicode61 remove_diacritics 2'
);
"""

# FTS5 external content: the old text must be told to the index, so triggers and no REPLACE
# (sqlite.org/fts5.html, 4.4.3).
TRIGGERS = """
create trigger messages_fts_insert after insert on messages begin
  insert into messages_fts (rowid, subject, text) values (new.id, new.subject, new.text);
end;
create trigger messages_fts_delete after delete on messages begin
  insert into messages_fts (messages_fts, rowid, subject, text)
    values ('delete', old.id, old.subject, old.text);
end;
create trigger messages_fts_update after update of subject, text on messages begin
  insert into messages_fts (messages_fts, rowid, subject, text)
    values ('delete', old.id, old.subject, old.text);
  insert into messages_fts (rowid, subject, text) values (new.id, new.subject, new.text);
end;
"""


def m001_tables(db: Any) -> None:
    """Messages with their full text, what was rejected, nights, generations."""
    _run(db, TABLES, TRIGGERS)


FULLTEXT = """
drop trigger messages_fts_insert;
drop trigger messages_fts_update;
drop trigger messages_fts_delete;
drop table messages_fts;
create virtual table messages_fts using fts5(
  subject, text, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2'
);
"""
# Rows not yet indexed (memory.fulltext.index_new does it at the end) are left alone.
FULLTEXT_TRIGGERS = """
create trigger messages_fts_delete after delete on messages
when exists (select 1 from messages_fts_docsize where id = old.id) begin
  delete from messages_fts where rowid = old.id;
end;
create trigger messages_fts_update after update of subject, text on messages
when exists (select 1 from messages_fts_docsize where id = old.id) begin
  delete from messages_fts where rowid = old.id;
  insert into messages_fts (rowid, subject, text)
    values (new.id, spaced(new.subject), spaced(new.text));
end;
"""


def m002_fulltext_of_every_script(db: Any) -> None:
    """An index without a copy of the text, filled in bulk, with Chinese words by bigrams."""
    _run(db, FULLTEXT, FULLTEXT_TRIGGERS)
    index_new(db)


FORGOTTEN = """
create table forgotten (
  id integer primary key,
  author text unique,
  message_id integer unique references messages (id) on delete cascade,
  erased integer not null default 0,
  since text not null
);
"""
# What was erased stays so when its file is read again.
FORGOTTEN_TRIGGERS = """
create trigger erased_message before update of subject, text on messages
when exists (select 1 from forgotten where message_id = old.id and erased) begin
  select raise(ignore);
end;
create trigger erased_version before insert on versions
when exists (select 1 from forgotten where message_id = new.message_id and erased) begin
  select raise(ignore);
end;
"""


def m003_forgotten(db: Any) -> None:
    """Whom and what `junior forget` keeps out of every dataset from now on."""
    _run(db, FORGOTTEN, FORGOTTEN_TRIGGERS)


def m005_outputs(db: Any) -> None:
    """What a stage left behind, by hash: the next one takes nothing else."""
    db.execute("alter table stages add column outputs text")


def _run(db: Any, tables: str, triggers: str) -> None:
    for statement in tables.split(";\n"):
        if statement.strip():
            db.execute(statement)
    for trigger in triggers.split("end;\n"):
        if trigger.strip():
            db.execute(trigger + "end")


def m004_votes(db: Any) -> None:
    """What people chose in blind comparisons; `sides` and `shown` (the order) are JSON lists."""
    db.execute(
        "create table votes (id integer primary key, generation text not null,"
        " trial text not null, sides text not null, shown text not null, choice text not null,"
        " voted_at text not null, unique (generation, trial, sides))"
    )


def m006_recipe(db: Any) -> None:
    """Which numbers a generation was trained with, by the hash that is in its night's files."""
    db.execute("alter table generations add column recipe text")


def m007_rewrite_digest(db: Any) -> None:
    """The second name of a generation at Ollama, the one that rewrites: its manifest's digest."""
    db.execute("alter table generations add column rewrite_digest text")


MIGRATIONS = (
    m001_tables,
    m002_fulltext_of_every_script,
    m003_forgotten,
    m004_votes,
    m005_outputs,
    m006_recipe,
    m007_rewrite_digest,
)
