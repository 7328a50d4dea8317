-- Which version of a package was used. What was counted before carries none, like usage that names none.
alter table metering.rollups add column version text not null default '';
alter table metering.rollups drop constraint rollups_pkey;
alter table metering.rollups add primary key (tenant, hour, meter, package, version, dimensions_key);
alter table metering.distinct_values add column version text not null default '';
alter table metering.distinct_values drop constraint distinct_values_pkey;
alter table metering.distinct_values
  add primary key (tenant, day, meter, package, version, dimensions_key, value_of, value_key);
alter table metering.priced_events add column version text not null default '';

-- Versions of packages that are or were public, as told by the events of their life.
create table metering.package_versions (
  partner text not null,
  package text not null,
  version text not null,
  billable boolean not null,
  primary key (partner, package, version)
);
create index package_versions_name on metering.package_versions (package);
comment on table metering.package_versions is 'versions of packages and whether usage of them is billed [configuration]';

-- Which months of a tenant have usage of a version: what is to be rated again when the version is quarantined.
create table metering.used_versions (
  tenant text not null,
  package text not null,
  version text not null,
  period text not null,
  primary key (tenant, package, version, period)
);
create index used_versions_package on metering.used_versions (package, version, tenant, period);
comment on table metering.used_versions is 'months in which a tenant used a version of a package [aggregate]';

-- Usage that is counted and not billed, because of what became of its version. `version` '' is usage that names none.
create table metering.quarantines (
  partner text not null,
  id uuid not null,
  package text not null,
  version text not null,
  cause text not null check (cause in ('rejected', 'yanked', 'blocked')),
  reason text not null,
  -- From the start of this hour on, null for all usage there ever was; up to the start of the hour of `until`.
  since timestamptz,
  until timestamptz,
  state text not null default 'quarantined' check (state in ('quarantined', 'released', 'written_off')),
  decided_by text,
  justification text,
  decided_at timestamptz,
  noted_at timestamptz not null,
  primary key (partner, id),
  check ((state = 'quarantined') = (decided_at is null)),
  check ((decided_at is null) = (decided_by is null) and (decided_at is null) = (justification is null))
);
create unique index quarantines_id on metering.quarantines (id);
create index quarantines_package on metering.quarantines (package, version);
create index quarantines_noted on metering.quarantines (noted_at, id);
comment on table metering.quarantines is 'usage of versions that is not billed, and what was decided on it [receipt]';

-- Of a record that was quarantined when it was counted: by which, so that a receipt can say what became of it since.
alter table metering.exceptions add column quarantine uuid;

-- What was published before; the migrations' role owns these tables, and is held by their policies too.
alter table marketplace.versions no force row level security;
alter table metering.rollups no force row level security;
insert into metering.package_versions
  select org, name, version, status in ('published', 'deprecated') from marketplace.versions
  where status in ('published', 'deprecated', 'yanked', 'blocked');
insert into metering.used_versions
  select distinct tenant, package, '', to_char(hour at time zone 'UTC', 'YYYY-MM') from metering.rollups
  where package <> '';
alter table marketplace.versions force row level security;
alter table metering.rollups force row level security;

do $$
declare name text;
begin
  foreach name in array array['package_versions', 'used_versions', 'quarantines'] loop
    execute format('alter table metering.%I enable row level security', name);
    execute format('alter table metering.%I force row level security', name);
    execute format('create policy consumer on metering.%I to atom_metering using (true) with check (true)', name);
    execute format('grant select on metering.%I to atom_app', name);
    execute format('grant select, insert, update on metering.%I to atom_metering', name);
  end loop;
end $$;
create policy own on metering.package_versions for select to atom_app
  using (partner = platform.current_org() or platform.is_operator());
create policy own on metering.used_versions for select to atom_app
  using (tenant = platform.current_org() or platform.is_operator());
create policy own on metering.quarantines for select to atom_app
  using (partner = platform.current_org() or platform.is_operator());
-- Whoever has such usage has to see why it is not billed, also to have its invoice rated.
create policy used on metering.quarantines for select to atom_app using (exists (
  select 1 from metering.used_versions u
  where u.tenant = platform.current_org() and u.package = quarantines.package and u.version = quarantines.version));
