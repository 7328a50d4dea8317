-- By what packages were judged, in the order in which it changed; the newest row is what was last announced.
create table governance.analyzers (
  seq bigint generated always as identity primary key,
  ruleset text not null,
  model_version text not null,
  model_sha256 text not null,
  announced_at timestamptz not null
);
comment on table governance.analyzers is 'rule sets and models that were announced [configuration]';
alter table governance.analyzers enable row level security;
alter table governance.analyzers force row level security;
create policy consumer on governance.analyzers to atom_governance using (true) with check (true);
grant select, insert on governance.analyzers to atom_governance;

-- One round for each change of the analyzer; the id is that of its event, so that an event told twice begins one.
create table marketplace.rescans (
  id uuid primary key,
  ruleset text not null,
  model_version text not null,
  model_sha256 text not null,
  begun_at timestamptz not null,
  -- Set when a later round took over what was still waiting.
  replaced_at timestamptz
);
comment on table marketplace.rescans is 'rounds in which stored versions are judged anew [configuration]';

-- What is to be judged anew, in which order, and what came of it. The first verdict stays at the version.
create table marketplace.rescanned_versions (
  org text not null references platform.orgs,
  rescan_id uuid not null references marketplace.rescans,
  version_id uuid not null,
  place int not null,
  state text not null default 'waiting' check (state in ('waiting', 'asked', 'same', 'better', 'worse')),
  asked_at timestamptz,
  answered_at timestamptz,
  verdict jsonb,
  reasons text[] not null default '{}',
  -- A reviewer looked at a worse verdict and said what follows from it.
  settled_by text,
  settled_at timestamptz,
  justification text,
  primary key (org, rescan_id, version_id),
  foreign key (org, version_id) references marketplace.versions (org, id),
  check ((state in ('waiting', 'asked')) = (verdict is null)),
  check ((settled_at is null) = (settled_by is null) and (settled_at is null) = (justification is null))
);
create index rescanned_versions_next on marketplace.rescanned_versions (place) where state = 'waiting';
create index rescanned_versions_asked on marketplace.rescanned_versions (asked_at);
create index rescanned_versions_version on marketplace.rescanned_versions (org, version_id, answered_at);
create index rescanned_versions_worse on marketplace.rescanned_versions (answered_at, version_id)
  where state = 'worse' and settled_at is null;
comment on table marketplace.rescanned_versions is 'new verdicts on stored versions [document]';

do $$
declare name text;
begin
  foreach name in array array['rescans', 'rescanned_versions'] loop
    execute format('alter table marketplace.%I enable row level security', name);
    execute format('alter table marketplace.%I force row level security', name);
    execute format('create policy operator on marketplace.%I for select to atom_app using (platform.is_operator())', name);
    execute format('create policy consumer on marketplace.%I to atom_marketplace using (true) with check (true)', name);
  end loop;
end $$;
create policy settled on marketplace.rescanned_versions for update to atom_app
  using (platform.is_operator() and state = 'worse') with check (platform.is_operator() and state = 'worse');
grant select on marketplace.rescans, marketplace.rescanned_versions to atom_app;
grant update (settled_by, settled_at, justification) on marketplace.rescanned_versions to atom_app;
grant select, insert, update on marketplace.rescans to atom_marketplace;
grant select, insert, update, delete on marketplace.rescanned_versions to atom_marketplace;
