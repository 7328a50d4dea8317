-- What organisations are told: a feed to read on from where they were, and webhooks that are called. The group `feeds`
-- writes it from the bus with a role of its own.
do $$
begin
  begin
    create role atom_feeds login nosuperuser nobypassrls noinherit;
  exception when duplicate_object or unique_violation then null;
  end;
  begin
    grant atom_feeds to current_user;
  exception when insufficient_privilege then
    if not pg_has_role(current_user, 'atom_feeds', 'member') then
      raise exception 'role atom_feeds exists and % may not become it: let an administrator run: grant atom_feeds to %',
        current_user, current_user using errcode = 'insufficient_privilege';
    end if;
  end;
end $$;

create schema feeds;
grant usage on schema feeds to atom_feeds, atom_app;
-- What every consumer group may do with the bus.
grant usage on schema platform to atom_feeds;
grant select on platform.event_log, platform.expired_events to atom_feeds;
grant select, insert, update on platform.cursors to atom_feeds;
grant select, insert, delete on platform.inbox, platform.group_stops to atom_feeds;
grant select, insert, delete, update (code, reason, attempts, last_failed_at, redrive_requested_at, redrive_by)
  on platform.dead_letters to atom_feeds;
grant select, insert on platform.dead_letter_decisions to atom_feeds;
grant select, update on platform.replays to atom_feeds;

-- Numbers without a gap that become visible in their order: whoever takes one holds this row until it commits, so a
-- reader that has seen a number has seen everything before it. A restored or new database is another epoch.
create table feeds.sequence (
  one boolean primary key default true check (one),
  epoch uuid not null default gen_random_uuid(),
  last bigint not null default 0,
  removed bigint not null default 0 check (removed <= last)
);
insert into feeds.sequence default values;
comment on table feeds.sequence is 'newest number of the feed, and up to where retention has removed it [configuration]';

create table feeds.events (
  seq bigint primary key,
  org text not null,
  -- Shown to every organisation and not only to the one it is about.
  public boolean not null,
  type text not null,
  -- Of events about packages: what becomes private with one.
  package text,
  event_id text not null,
  -- As text, so that what is signed is what was stored.
  event text not null,
  recorded_at timestamptz not null
);
create index events_own on feeds.events (org, seq);
create index events_public on feeds.events (seq) where public;
comment on table feeds.events is 'what happened to packages and invoices, as organisations are told; expires after 35 days [document]';

create index events_package on feeds.events (package) where package is not null;

-- Packages whose events only their publisher is told of.
create table feeds.private_packages (
  org text not null,
  name text primary key
);
comment on table feeds.private_packages is 'names of private packages [configuration]';

create table feeds.webhooks (
  org text not null references platform.orgs,
  id uuid not null,
  url text not null check (length(url) <= 2048),
  -- Names of event types, or `wpk.*`; null for all.
  types text[],
  state text not null default 'on' check (state in ('on', 'disabled')),
  disabled_reason text,
  disabled_at timestamptz,
  -- While its organisation is suspended: calls wait.
  paused boolean not null default false,
  -- Since when every attempt has failed.
  failing_since timestamptz,
  created_by text not null,
  created_at timestamptz not null,
  primary key (org, id),
  check ((state = 'disabled') = (disabled_reason is not null and disabled_at is not null))
);
create unique index webhooks_url on feeds.webhooks (org, url);
create unique index webhooks_id on feeds.webhooks (id);
comment on table feeds.webhooks is 'addresses that organisations are called at [account]';

create table feeds.webhook_secrets (
  org text not null,
  webhook_id uuid not null,
  id uuid not null,
  sealed bytea not null,
  created_at timestamptz not null,
  -- Signs until then; null for the newest one.
  expires_at timestamptz,
  primary key (org, webhook_id, id),
  foreign key (org, webhook_id) references feeds.webhooks (org, id) on delete cascade
);
create unique index webhook_secrets_newest on feeds.webhook_secrets (webhook_id) where expires_at is null;
comment on table feeds.webhook_secrets is 'sealed secrets that calls of webhooks are signed with [account]';

-- What seals them where no key is given by a setting.
create table feeds.seal_key (
  one boolean primary key default true check (one),
  key bytea not null check (length(key) = 32)
);
comment on table feeds.seal_key is 'key that secrets of webhooks are sealed with by default [configuration]';

create table feeds.deliveries (
  org text not null,
  webhook_id uuid not null,
  id bigint generated always as identity,
  -- The event in feeds.events; null for a test, which carries its own.
  seq bigint,
  event_id text not null,
  type text not null,
  body text,
  state text not null default 'pending' check (state in ('pending', 'delivered', 'dead')),
  attempts int not null default 0,
  -- Attempts before it was asked for again: the waiting begins anew.
  attempts_before int not null default 0,
  next_attempt_at timestamptz not null,
  last_status int,
  last_error text,
  created_at timestamptz not null,
  ended_at timestamptz,
  primary key (org, webhook_id, id),
  foreign key (org, webhook_id) references feeds.webhooks (org, id) on delete cascade,
  check ((seq is null) = (body is not null)),
  check ((state = 'pending') = (ended_at is null))
) with (fillfactor = 80);
create index deliveries_due on feeds.deliveries (webhook_id, next_attempt_at) where state = 'pending';
create index deliveries_dead on feeds.deliveries (webhook_id) where state = 'dead';
create index deliveries_expiring on feeds.deliveries (created_at);
comment on table feeds.deliveries is 'which event was to be told to which webhook, and what became of it [receipt]';

create table feeds.attempts (
  org text not null,
  webhook_id uuid not null,
  delivery_id bigint not null,
  attempt int not null,
  begun_at timestamptz not null,
  -- Null while it is under way, or when the process died with it.
  ended_at timestamptz,
  status int,
  code text,
  detail text,
  primary key (org, webhook_id, delivery_id, attempt),
  foreign key (org, webhook_id, delivery_id) references feeds.deliveries (org, webhook_id, id) on delete cascade
);
comment on table feeds.attempts is 'calls of webhooks: when, and what was answered; no content [receipt]';

do $$
declare name text;
begin
  foreach name in array array['events', 'private_packages', 'webhooks', 'webhook_secrets', 'deliveries', 'attempts'] loop
    execute format('alter table feeds.%I enable row level security', name);
    execute format('alter table feeds.%I force row level security', name);
    execute format('create policy consumer on feeds.%I to atom_feeds using (true) with check (true)', name);
  end loop;
  foreach name in array array['webhooks', 'deliveries', 'attempts'] loop
    execute format('create policy own on feeds.%I to atom_app
      using (org = platform.current_org() or platform.is_operator()) with check (org = platform.current_org())', name);
  end loop;
end $$;
create policy told on feeds.events for select to atom_app
  using (org = platform.current_org() or platform.is_operator() or (public and platform.current_org() is not null));
-- Who serves calls stores secrets and cannot read them: only who signs with them can.
create policy own on feeds.webhook_secrets to atom_app
  using (org = platform.current_org()) with check (org = platform.current_org());

grant select on feeds.sequence, feeds.events to atom_app;
grant select, insert, delete on feeds.webhooks to atom_app;
grant update (state, disabled_reason, disabled_at, failing_since) on feeds.webhooks to atom_app;
grant select (org, webhook_id, id, created_at, expires_at), insert, update (expires_at) on feeds.webhook_secrets to atom_app;
grant select, insert on feeds.deliveries to atom_app;
grant update (state, attempts_before, next_attempt_at, ended_at, last_error) on feeds.deliveries to atom_app;
grant select on feeds.attempts to atom_app;

grant select on feeds.sequence, feeds.webhooks, feeds.webhook_secrets to atom_feeds;
grant select, insert on feeds.seal_key to atom_feeds;
grant update (last, removed) on feeds.sequence to atom_feeds;
grant select, insert, delete, update (public) on feeds.events to atom_feeds;
grant select, insert, delete on feeds.private_packages to atom_feeds;
grant update (state, disabled_reason, disabled_at, failing_since, paused) on feeds.webhooks to atom_feeds;
grant delete on feeds.webhook_secrets to atom_feeds;
grant select, insert, update, delete on feeds.deliveries to atom_feeds;
grant select, insert, update on feeds.attempts to atom_feeds;
