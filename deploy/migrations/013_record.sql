-- What happened and is still to be recorded: filled by triggers in the transaction of the change, emptied by one writer.
create table marketplace.to_record (
  pos bigint generated always as identity primary key,
  org text not null,
  kind text not null check (kind in ('verdict', 'decision', 'key_registered', 'key_revoked', 'identity_registered',
                                     'identity_revoked')),
  subject text not null,
  at timestamptz not null,
  detail jsonb not null
);
comment on table marketplace.to_record is 'changes waiting for the audit log [receipt]';

-- Verdicts and decisions as the marketplace signed them (in-toto statements in DSSE envelopes). Append only.
create table marketplace.attestations (
  org text not null references platform.orgs,
  id uuid not null,
  version_id uuid not null,
  predicate_type text not null,
  bundle jsonb not null,
  created_at timestamptz not null,
  primary key (org, id),
  foreign key (org, version_id) references marketplace.versions (org, id)
);
create index attestations_version on marketplace.attestations (org, version_id, id);
comment on table marketplace.attestations is 'signed statements on package versions [receipt]';

-- Each entry holds the hash of the one before; a checkpoint is the newest hash, signed. Append only.
create table marketplace.audit_log (
  seq bigint primary key,
  org text not null,
  entry text not null,
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$')
);
comment on table marketplace.audit_log is 'hash chain of verdicts, decisions and changes of signers [receipt]';
create table marketplace.audit_checkpoints (
  seq bigint primary key references marketplace.audit_log,
  envelope jsonb not null
);
comment on table marketplace.audit_checkpoints is 'signed heads of the audit log [receipt]';

do $$
declare name text;
begin
  foreach name in array array['to_record', 'attestations', 'audit_log', 'audit_checkpoints'] loop
    execute format('alter table marketplace.%I enable row level security', name);
    execute format('alter table marketplace.%I force row level security', name);
    execute format('create policy consumer on marketplace.%I to atom_marketplace using (true) with check (true)', name);
  end loop;
end $$;
create policy own_new on marketplace.to_record for insert to atom_app
  with check (org = platform.current_org() or platform.is_operator());
create policy own on marketplace.attestations for select to atom_app
  using (org = platform.current_org() or platform.is_operator());
create policy published on marketplace.attestations for select to atom_app
  using (platform.current_org() is not null and exists (
    select 1 from marketplace.versions v where v.org = attestations.org and v.id = attestations.version_id
      and v.status in ('published', 'deprecated', 'yanked')));
create policy operator on marketplace.audit_log for select to atom_app using (platform.is_operator());
create policy operator on marketplace.audit_checkpoints for select to atom_app using (platform.is_operator());

grant insert on marketplace.to_record to atom_app;
grant select, insert, delete on marketplace.to_record to atom_marketplace;
grant select on marketplace.attestations, marketplace.audit_log, marketplace.audit_checkpoints to atom_app;
grant select, insert on marketplace.attestations, marketplace.audit_log, marketplace.audit_checkpoints to atom_marketplace;

create function marketplace.record_verdict() returns trigger language plpgsql as $$
begin
  insert into marketplace.to_record (org, kind, subject, at, detail)
  values (new.org, 'verdict', new.id::text, clock_timestamp(), '{}');
  return null;
end $$;
create trigger record_verdict after update of verdict on marketplace.versions for each row
  when (new.verdict is not null and old.verdict is distinct from new.verdict)
  execute function marketplace.record_verdict();

create function marketplace.record_decision() returns trigger language plpgsql as $$
begin
  insert into marketplace.to_record (org, kind, subject, at, detail)
  values (new.org, 'decision', new.id::text, new.decided_at, '{}');
  return null;
end $$;
create trigger record_decision after insert on marketplace.decisions for each row
  execute function marketplace.record_decision();

-- For signing keys and identities alike: the first argument says which, the second names the column of the id.
create function marketplace.record_signer() returns trigger language plpgsql as $$
declare changed jsonb := to_jsonb(new) - 'org' - 'public_key' - 'created_at';
begin
  insert into marketplace.to_record (org, kind, subject, at, detail)
  values (new.org, tg_argv[0] || case when tg_op = 'INSERT' then '_registered' else '_revoked' end,
          changed ->> tg_argv[1], clock_timestamp(), changed);
  return null;
end $$;
create trigger record_signer after insert or update of revoked_at on marketplace.signing_keys for each row
  execute function marketplace.record_signer('key', 'key_id');
create trigger record_signer after insert or update of revoked_at on marketplace.identities for each row
  execute function marketplace.record_signer('identity', 'id');

-- What was decided before there was a record is its beginning.
insert into marketplace.to_record (org, kind, subject, at, detail)
select org, kind, subject, at, '{}' from (
  select org, 'verdict' as kind, id::text as subject, submitted_at as at from marketplace.versions where verdict is not null
  union all
  select org, 'decision', id::text, decided_at from marketplace.decisions) earlier order by at, kind desc;
