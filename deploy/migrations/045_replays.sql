-- Replays, rebuilds and rollbacks: asked for through the data service, done by the consumer group itself, in steps.
create table platform.replays (
  id uuid primary key,
  kind text not null check (kind in ('apply', 'shadow', 'rebuild', 'rollback')),
  consumer_group text not null,
  -- What is built beside the live tables; null where events go to the group's own handlers.
  shadow text,
  state text not null check (state in ('running', 'paused', 'failed', 'cancelled', 'done')),
  -- [{topic, partition, at, until}]; without `until` it goes as far as the group has read.
  ranges jsonb not null,
  -- Raised with every change of progress: of two processes that took the same step, one changes nothing.
  step bigint not null default 0,
  begun boolean not null default false,
  done bigint not null default 0,
  applied bigint not null default 0,
  left_out bigint not null default 0,
  -- Where this run began, for its rate.
  run_since timestamptz not null,
  run_done bigint not null default 0,
  accept_difference boolean not null default false,
  -- The group's name in the inbox: what is built beside must see every event once more.
  inbox text not null,
  note text,
  result jsonb,
  requested_by text not null,
  requested_at timestamptz not null,
  ended_at timestamptz,
  tidied boolean not null default false,
  check ((shadow is null) = (kind = 'apply'))
);
create unique index replays_open on platform.replays (consumer_group, coalesce(shadow, ''))
  where state in ('running', 'paused', 'failed');
comment on table platform.replays is 'replays and rebuilds: who asked, how far they are, what came of them [aggregate]';
grant select, insert, update on platform.replays to atom_data;
grant select, update on platform.replays to atom_marketplace, atom_governance, atom_metering, atom_analytics;
grant select on platform.inbox to atom_data;
-- What a person gave up is left out of a rebuild too.
grant select on platform.dead_letter_decisions to atom_marketplace, atom_governance, atom_metering, atom_analytics;

-- What retention has removed, so that a rebuild can say that the beginning is missing.
create table platform.expired_events (
  topic text primary key,
  removed bigint not null,
  last_recorded_at timestamptz not null
);
comment on table platform.expired_events is 'how many events of a topic retention has removed [aggregate]';
grant select on platform.expired_events
  to atom_data, atom_relay, atom_marketplace, atom_governance, atom_metering, atom_analytics;

create or replace function platform.expire_log(name text, days int) returns bigint language plpgsql security definer
  set search_path = pg_catalog as $$
declare removed bigint; newest timestamptz;
begin
  with gone as (
    delete from platform.event_log where topic = name and recorded_at < now() - make_interval(days => greatest(days, 1))
    returning recorded_at)
  select count(*), max(recorded_at) into removed, newest from gone;
  if removed > 0 then
    insert into platform.expired_events as e values (name, removed, newest)
    on conflict (topic) do update set removed = e.removed + excluded.removed,
      last_recorded_at = greatest(e.last_recorded_at, excluded.last_recorded_at);
  end if;
  delete from platform.dead_letters where topic = name and failed_at < now() - make_interval(days => greatest(days, 1));
  return removed;
end $$;

create schema read_shadow;
create schema read_former;
create schema metering_shadow;
grant usage on schema read_shadow, read_former to atom_analytics;
grant usage on schema metering_shadow to atom_metering;

-- An empty table like a live one: columns, keys, comment, row security, policies and grants, whatever they are by now.
create function platform.copy_shape(source text, target text, name text) returns void language plpgsql
  set search_path = pg_catalog as $$
declare
  live regclass := format('%I.%I', source, name)::regclass;
  copy text := format('%I.%I', target, name);
  shape pg_class;
  one record;
begin
  select * into shape from pg_class where oid = live;
  if exists (select 1 from pg_trigger where tgrelid = live)
    or exists (select 1 from pg_constraint where contype = 'f' and (conrelid = live or confrelid = live)) then
    raise exception '% has triggers or foreign keys, which a copy of it would lack', live;
  end if;
  execute format('drop table if exists %s', copy);
  execute format('create table %s (like %s including all)', copy, live);
  execute format('comment on table %s is %L', copy, obj_description(live, 'pg_class'));
  if shape.reloptions is not null then
    execute format('alter table %s set (%s)', copy, array_to_string(shape.reloptions, ', '));
  end if;
  if shape.relrowsecurity then execute format('alter table %s enable row level security', copy); end if;
  if shape.relforcerowsecurity then execute format('alter table %s force row level security', copy); end if;
  for one in select * from pg_policies p where p.schemaname = source and p.tablename = name loop
    execute format('create policy %I on %s as %s for %s to %s%s%s', one.policyname, copy, one.permissive, one.cmd,
      (select string_agg(quote_ident(r), ', ') from unnest(one.roles) r),
      ' using (' || one.qual || ')', ' with check (' || one.with_check || ')');
  end loop;
  for one in select a.grantee, a.privilege_type from aclexplode(shape.relacl) a where a.grantee <> shape.relowner loop
    execute format('grant %s on %s to %s', one.privilege_type, copy,
      case one.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(one.grantee)) end);
  end loop;
end $$;
revoke execute on function platform.copy_shape from public;

-- The roles of the product own no table; these are what a group may do with the copies of its own room.
create function read_shadow.make(names text[]) returns void language plpgsql security definer
  set search_path = pg_catalog as $$
declare name text;
begin
  foreach name in array names loop perform platform.copy_shape('read', 'read_shadow', name); end loop;
end $$;

create function read_shadow.discard(names text[]) returns void language plpgsql security definer
  set search_path = pg_catalog as $$
declare name text;
begin
  foreach name in array names loop execute format('drop table if exists read_shadow.%I', name); end loop;
end $$;

-- Puts the shadow, or the former tables, in the place of the live ones, which become the former ones.
create function read_shadow.swap(names text[], back boolean) returns void language plpgsql security definer
  set search_path = pg_catalog as $$
declare
  name text;
  source text := case when back then 'read_former' else 'read_shadow' end;
  shapes int;
begin
  foreach name in array names loop
    select count(distinct columns) into shapes from (
      select array_agg((a.attname, a.atttypid, a.attnotnull)::text order by a.attname) as columns
      from pg_attribute a
      where a.attrelid in (format('read.%I', name)::regclass, format('%I.%I', source, name)::regclass)
        and a.attnum > 0 and not a.attisdropped
      group by a.attrelid) s;
    if shapes <> 1 then
      raise exception 'read.% was changed by a migration since its copy was made', name;
    end if;
    if back then
      execute format('drop table if exists read_shadow.%I', name);
      execute format('alter table read.%I set schema read_shadow', name);
      execute format('alter table read_former.%I set schema read', name);
      execute format('alter table read_shadow.%I set schema read_former', name);
    else
      execute format('drop table if exists read_former.%I', name);
      execute format('alter table read.%I set schema read_former', name);
      execute format('alter table read_shadow.%I set schema read', name);
    end if;
  end loop;
end $$;
revoke execute on function read_shadow.make, read_shadow.discard, read_shadow.swap from public;
grant execute on function read_shadow.make, read_shadow.discard, read_shadow.swap to atom_analytics;

create function metering_shadow.make(names text[]) returns void language plpgsql security definer
  set search_path = pg_catalog as $$
declare name text;
begin
  foreach name in array names loop perform platform.copy_shape('metering', 'metering_shadow', name); end loop;
end $$;

create function metering_shadow.discard(names text[]) returns void language plpgsql security definer
  set search_path = pg_catalog as $$
declare name text;
begin
  foreach name in array names loop execute format('drop table if exists metering_shadow.%I', name); end loop;
end $$;
revoke execute on function metering_shadow.make, metering_shadow.discard from public;
grant execute on function metering_shadow.make, metering_shadow.discard to atom_metering;
