-- Dead letters can be applied again by their own group, or given up by a person with a reason.
alter table platform.dead_letters
  -- Commit order of one partition: ids come from several clocks, this does not.
  add column seq bigint generated always as identity,
  add column last_failed_at timestamptz,
  add column redrive_requested_at timestamptz,
  add column redrive_by text;
create index dead_letters_key on platform.dead_letters (consumer_group, topic, key, seq);
create index dead_letters_due on platform.dead_letters (consumer_group, seq)
  where redrive_requested_at is not null or code = 'parked_behind';

create table platform.dead_letter_decisions (
  id uuid primary key,
  letter uuid not null,
  consumer_group text not null,
  topic text not null,
  partition int not null,
  position text not null,
  code text not null,
  attempts int not null,
  decision text not null check (decision in ('redriven', 'discarded')),
  decided_by text not null,
  reason text,
  decided_at timestamptz not null,
  check (decision = 'redriven' or reason is not null)
);
create index dead_letter_decisions_letter on platform.dead_letter_decisions (letter);
comment on table platform.dead_letter_decisions is 'who had a dead letter applied again or given up, and why; no payload [receipt]';

grant delete, update (redrive_requested_at, redrive_by) on platform.dead_letters to atom_data;
grant select, insert on platform.dead_letter_decisions to atom_data;
grant delete, update (code, reason, attempts, last_failed_at, redrive_requested_at, redrive_by)
  on platform.dead_letters to atom_marketplace, atom_governance, atom_metering, atom_analytics;
grant insert on platform.dead_letter_decisions to atom_marketplace, atom_governance, atom_metering, atom_analytics;

create table platform.group_stops (
  consumer_group text primary key,
  reason text not null,
  stopped_at timestamptz not null
);
comment on table platform.group_stops is 'groups that stopped because too much of what they read failed [configuration]';
grant select, delete on platform.group_stops to atom_data;
grant select, insert, delete on platform.group_stops to atom_marketplace, atom_governance, atom_metering, atom_analytics;

-- What holds the readers of the log back: a session that has a transaction id. Only its owner may see all sessions.
create function platform.oldest_transaction_seconds() returns float8 language sql stable security definer
  set search_path = pg_catalog as $$
  select coalesce(extract(epoch from clock_timestamp() - min(xact_start)), 0)::float8
  from pg_stat_activity where backend_xid is not null
$$;
revoke execute on function platform.oldest_transaction_seconds from public;
grant execute on function platform.oldest_transaction_seconds to atom_data;
