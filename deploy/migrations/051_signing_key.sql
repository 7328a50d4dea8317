-- The one row that is there while the key that signs verdicts and decisions cannot be used: since when, and which error.
create table marketplace.signing_outage (
  single boolean primary key default true check (single),
  since timestamptz not null,
  code text not null
);
comment on table marketplace.signing_outage is 'whether verdicts and decisions wait for the signing key [configuration]';
alter table marketplace.signing_outage enable row level security;
alter table marketplace.signing_outage force row level security;
create policy consumer on marketplace.signing_outage to atom_marketplace using (true) with check (true);
grant select, insert, update, delete on marketplace.signing_outage to atom_marketplace;

-- An approved version that is published once its decision is signed; null for all others.
alter table marketplace.versions add column waits_since timestamptz;
create index versions_waiting on marketplace.versions (waits_since) where waits_since is not null;
