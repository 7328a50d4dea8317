grant usage on schema governance to atom_governance;

create table governance.verdicts (
  org text not null,
  version_id uuid not null,
  digest text not null,
  ruleset text not null,
  model_sha256 text not null,
  risk_score numeric not null check (risk_score >= 0 and risk_score <= 1),
  decision text not null check (decision in ('pass', 'review', 'block')),
  verdict jsonb not null,
  judged_at timestamptz not null,
  primary key (org, version_id, ruleset, model_sha256)
);
comment on table governance.verdicts is 'what the analyzer said of each version, per rule set and model [document]';
alter table governance.verdicts enable row level security;
alter table governance.verdicts force row level security;
create policy consumer on governance.verdicts to atom_governance using (true) with check (true);
grant select, insert, update on governance.verdicts to atom_governance;
