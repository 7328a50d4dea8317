grant usage on schema read to atom_analytics, atom_portal;

create table read.packages (
  org text not null,
  id uuid not null,
  name text not null,
  version text not null,
  status text not null,
  risk_score numeric,
  decision text,
  violations jsonb not null default '[]',
  published_at timestamptz,
  updated_at timestamptz not null,
  primary key (org, id)
);
comment on table read.packages is 'package versions with their verdicts [document]';

create table read.revenue (
  partner text not null,
  tenant text not null,
  period text not null,
  currency text not null,
  gross numeric not null,
  partner_share numeric not null,
  platform_fee numeric not null,
  tax numeric not null,
  as_of timestamptz not null,
  primary key (partner, tenant, period)
);
comment on table read.revenue is 'what each partner earns of each tenant, per month [aggregate]';

create table read.usage (
  tenant text not null,
  period text not null,
  meter text not null,
  package text not null,
  quantity numeric not null,
  amount numeric,
  currency text not null,
  as_of timestamptz not null,
  primary key (tenant, period, meter, package)
);
comment on table read.usage is 'usage per tenant, meter and month [aggregate]';

do $$
declare name text;
begin
  foreach name in array array['packages', 'revenue', 'usage'] loop
    execute format('alter table read.%I enable row level security', name);
    execute format('alter table read.%I force row level security', name);
    execute format('create policy writer on read.%I to atom_analytics using (true) with check (true)', name);
  end loop;
end $$;
create policy visible on read.packages for select to atom_portal
  using (org = platform.current_org() or platform.is_operator()
    or (status in ('published', 'deprecated') and platform.current_org() is not null));
-- A partner reads its own earnings; what a tenant used is the tenant's and the operator's to see.
create policy own on read.revenue for select to atom_portal
  using (partner = platform.current_org() or platform.is_operator());
create policy own on read.usage for select to atom_portal
  using (tenant = platform.current_org() or platform.is_operator());

grant select, insert, update, delete on all tables in schema read to atom_analytics;
grant select on all tables in schema read to atom_portal;
