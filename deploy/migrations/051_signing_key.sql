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

-- Between the signature that was verified and the bytes that are kept nothing may come: what is stored is what its digest
-- says, whoever stores it. After the insert, so that no other trigger has the last word; no role of the product may update.
create function platform.artifact_is_its_digest() returns trigger language plpgsql as $$
begin
  if new.digest <> 'sha256:' || encode(sha256(new.bytes), 'hex') then
    raise exception 'the bytes are not those of %', new.digest using errcode = 'check_violation';
  end if;
  return null;
end $$;
create trigger artifact_is_its_digest after insert on platform.artifacts
  for each row execute function platform.artifact_is_its_digest();
