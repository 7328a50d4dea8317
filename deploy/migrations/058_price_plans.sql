-- Plans are told of as events (`plan.created`); those stored before that are told once, at the next start.
alter table metering.plans add column told_at timestamptz;
create index plans_untold on metering.plans (created_at, id) where told_at is null;

-- What partners ask for, as told by plan.created: reviewers see it beside a package.
create table marketplace.price_plans (
  partner text not null references platform.orgs,
  id uuid not null,
  -- Of the plan that this is a version of.
  first_version uuid not null,
  name text not null,
  currency text not null,
  effective_from timestamptz not null,
  created_at timestamptz not null,
  terms jsonb not null,
  primary key (partner, id)
);
create index price_plans_versions on marketplace.price_plans (partner, first_version, effective_from);
comment on table marketplace.price_plans is 'price plans of partners as billing tells of them [configuration]';
alter table marketplace.price_plans enable row level security;
alter table marketplace.price_plans force row level security;
create policy consumer on marketplace.price_plans to atom_marketplace using (true) with check (true);
create policy operator on marketplace.price_plans for select to atom_app using (platform.is_operator());
grant select, insert on marketplace.price_plans to atom_marketplace;
grant select on marketplace.price_plans to atom_app;
