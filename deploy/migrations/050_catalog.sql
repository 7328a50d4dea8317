-- Versions in the order of Semantic Versioning 2.0.0, as text that sorts byte by byte: numbers are led by their length,
-- a release sorts after its pre-releases, numeric identifiers before others, and build metadata does not count.
create function marketplace.precedence(version text) returns text language sql immutable strict parallel safe as $$
  select coalesce(string_agg(lpad(length(n)::text, 3, '0') || n, '' order by i), '')
    || coalesce((
      select string_agg(case when part ~ '^[0-9]+$' then '0' || lpad(length(part)::text, 3, '0') || part
                             else '1' || part end || '!', '' order by j)
      from regexp_split_to_table(substring(split_part(version, '+', 1) from '^[^-]*-(.*)$'), '\.')
        with ordinality as p (part, j)), '~')
  from regexp_split_to_table(split_part(split_part(version, '+', 1), '-', 1), '\.') with ordinality as c (n, i)
$$;

-- Words of a name: its separators are blanks, or the parser would take `a.b` for a host.
create function marketplace.name_words(name text) returns tsvector language sql immutable parallel safe as $$
  select to_tsvector('pg_catalog.simple', regexp_replace(name, '[._-]+', ' ', 'g'))
$$;
-- Names and tags as they are and by their stems, descriptions by their stems. What is longer than a reader would read is
-- cut off, because a vector has at most 1 MB.
create function marketplace.search_words(name text, description text, tags text[]) returns tsvector
  language sql immutable parallel safe as $$
  select to_tsvector('pg_catalog.simple', called) || to_tsvector('pg_catalog.english', called)
    || to_tsvector('pg_catalog.english', left(description, 20000))
  from (select regexp_replace(name || ' ' || left(array_to_string(tags, ' '), 20000), '[._-]+', ' ', 'g') as called) as x
$$;

alter table marketplace.names
  add column visibility text not null default 'public' check (visibility in ('public', 'private')),
  add unique (name, visibility);

alter table marketplace.versions
  add column visibility text not null default 'public',
  add column precedence text collate "C" not null generated always as (marketplace.precedence(version)) stored,
  add column name_words tsvector not null generated always as (marketplace.name_words(name)) stored,
  add column search_words tsvector not null
    generated always as (marketplace.search_words(name, description, tags)) stored,
  -- Row security reads the visibility of a name on its versions; the key keeps it the same there.
  add foreign key (name, visibility) references marketplace.names (name, visibility) on update cascade;
create index versions_precedence on marketplace.versions (name, precedence desc, id desc);
create index versions_name_words on marketplace.versions using gin (name_words);
create index versions_search_words on marketplace.versions using gin (search_words);
create index versions_tags on marketplace.versions using gin (tags);

-- What was uploaded stays what it is; a mistake is a new version.
create function marketplace.versions_stay() returns trigger language plpgsql as $$
begin
  raise exception 'a version is what was uploaded and never changes' using errcode = 'integrity_constraint_violation';
end $$;
create trigger versions_stay before update on marketplace.versions for each row
  when (old.org <> new.org or old.id <> new.id or old.name <> new.name or old.version <> new.version
    or old.digest <> new.digest or old.media_type <> new.media_type or old.description <> new.description
    or old.tags <> new.tags or old.signature <> new.signature or old.key_id <> new.key_id
    or old.submitted_at <> new.submitted_at)
  execute function marketplace.versions_stay();

-- Organisations that may read a private package of another.
create table marketplace.name_readers (
  org text not null,
  name text not null references marketplace.names,
  reader text not null references platform.orgs,
  added_at timestamptz not null,
  primary key (org, name, reader)
);
create index name_readers_reader on marketplace.name_readers (reader, name);
comment on table marketplace.name_readers is 'who may read a private package [configuration]';

-- A new name that looks like another organisation's is refused unless a reviewer allowed it.
create table marketplace.name_allowances (
  org text not null references platform.orgs,
  name text not null,
  reason text not null check (reason <> ''),
  allowed_by text not null,
  allowed_at timestamptz not null,
  primary key (org, name)
);
comment on table marketplace.name_allowances is 'names allowed although they look like others [configuration]';

-- How often the bytes of a version were read, by day (UTC). Nobody who read them is in here.
create table marketplace.downloads (
  org text not null,
  version_id uuid not null,
  day date not null,
  count bigint not null check (count > 0),
  primary key (org, version_id, day),
  foreign key (org, version_id) references marketplace.versions (org, id)
);
comment on table marketplace.downloads is 'downloads of a version by day [aggregate]';

do $$
declare name text;
begin
  foreach name in array array['name_readers', 'name_allowances', 'downloads'] loop
    execute format('alter table marketplace.%I enable row level security', name);
    execute format('alter table marketplace.%I force row level security', name);
    execute format('create policy own on marketplace.%I for select to atom_app
      using (org = platform.current_org() or platform.is_operator())', name);
    execute format('create policy consumer on marketplace.%I to atom_marketplace using (true) with check (true)', name);
  end loop;
end $$;
create policy own_change on marketplace.names for update to atom_app
  using (org = platform.current_org()) with check (org = platform.current_org());
create policy own_new on marketplace.name_readers for insert to atom_app with check (
  org = platform.current_org()
  and exists (select 1 from marketplace.names n where n.name = name_readers.name and n.org = name_readers.org));
create policy own_end on marketplace.name_readers for delete to atom_app using (org = platform.current_org());
create policy granted on marketplace.name_readers for select to atom_app using (reader = platform.current_org());
create policy decided on marketplace.name_allowances for insert to atom_app with check (platform.is_operator());

-- What is published is for every known caller, what is published under a private name for its readers. The policies of
-- artifacts, signers and attestations ask for a version that the caller sees, so they follow.
drop policy published on marketplace.versions;
create policy published on marketplace.versions for select to atom_app
  using (status in ('published', 'deprecated', 'yanked') and platform.current_org() is not null
    and (visibility = 'public'
      or name in (select r.name from marketplace.name_readers r where r.reader = platform.current_org())));
create policy published on marketplace.downloads for select to atom_app
  using (platform.current_org() is not null and exists (
    select 1 from marketplace.versions v where v.org = downloads.org and v.id = downloads.version_id
      and v.status in ('published', 'deprecated', 'yanked')));

grant update (visibility) on marketplace.names to atom_app;
grant select, insert, delete on marketplace.name_readers to atom_app;
grant select, insert on marketplace.name_allowances to atom_app;
grant select on marketplace.downloads to atom_app;
grant select on marketplace.names, marketplace.name_readers to atom_marketplace;
grant select, insert, update on marketplace.downloads to atom_marketplace;

-- The portal shows no private package of another organisation.
alter table read.packages add column visibility text not null default 'public';
create index packages_name on read.packages (org, name);
drop policy visible on read.packages;
create policy visible on read.packages for select to atom_portal
  using (org = platform.current_org() or platform.is_operator()
    or (status in ('published', 'deprecated') and visibility = 'public' and platform.current_org() is not null));

-- What is left of a name when what the eye passes over is gone: separators, and characters that look like others.
create function marketplace.name_skeleton(name text) returns text language sql immutable strict parallel safe as $$
  select replace(replace(translate(lower(name), '015i._-', 'olsl'), 'rn', 'm'), 'vv', 'w')
$$;
-- The skeleton and all that is left of it without one character: names one edit apart share one of these.
create function marketplace.name_near(name text) returns text[] language sql immutable strict parallel safe as $$
  select array_agg(distinct near) from (
    select marketplace.name_skeleton(name) as near
    union all
    select left(s, i - 1) || substr(s, i + 1)
    from (select marketplace.name_skeleton(name) as s) as x, generate_series(1, length(s)) as i) as nears
$$;
-- Whether one character was added, removed or replaced, or two neighbours changed places.
create function marketplace.one_edit(a text, b text) returns boolean language plpgsql immutable strict parallel safe as $$
begin
  while a <> '' and b <> '' and left(a, 1) = left(b, 1) loop a := substr(a, 2); b := substr(b, 2); end loop;
  while a <> '' and b <> '' and right(a, 1) = right(b, 1) loop a := left(a, -1); b := left(b, -1); end loop;
  return a <> b and (greatest(length(a), length(b)) = 1 or (length(a) = 2 and a = reverse(b)));
end $$;
-- docs/registry.md states the rule. Names that differ in their numbers only are of a series.
create function marketplace.names_alike(a text, b text) returns boolean language sql immutable strict parallel safe as $$
  select case
    when s = t then length(s) >= 4
    else least(length(s), length(t)) >= 6 and marketplace.one_edit(s, t)
      and regexp_replace(translate(a, '._-', ''), '[0-9]+', '#', 'g')
        <> regexp_replace(translate(b, '._-', ''), '[0-9]+', '#', 'g')
    end
  from (select marketplace.name_skeleton(a) as s, marketplace.name_skeleton(b) as t) as x
$$;
alter table marketplace.names
  add column near text[] not null generated always as (marketplace.name_near(name)) stored;
create index names_near on marketplace.names using gin (near);

-- The names of others are hidden from who asks, so this runs as the role that sees all of them. `public`: whether
-- everybody may know of the name.
create function marketplace.alike_name(wanted text, wanted_by text, out name text, out public boolean)
  language sql stable security definer set search_path = pg_catalog as $$
  select n.name, n.visibility = 'public' and exists (
      select 1 from marketplace.versions v where v.name = n.name and v.status in ('published', 'deprecated', 'yanked'))
  from marketplace.names n
  where n.org <> wanted_by and n.near && marketplace.name_near(wanted) and marketplace.names_alike(n.name, wanted)
  order by n.created_at limit 1
$$;
grant create on schema marketplace to atom_marketplace;
alter function marketplace.alike_name owner to atom_marketplace;
revoke create on schema marketplace from atom_marketplace;
revoke execute on function marketplace.alike_name from public;
grant execute on function marketplace.alike_name to atom_app;
