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

-- One word of a name without its plural and as the eye keeps it. Numbers stay: names of a series differ in them.
create function marketplace.word_stem(word text) returns text language sql immutable strict parallel safe as $$
  select case
    when w ~ '^[0-9]+$' then w
    when length(w) > 4 and w ~ '[^aeiou]ies$' then marketplace.name_skeleton(left(w, -3) || 'y')
    when length(w) > 3 and w ~ '(ss|x|z|ch|sh)es?$' then marketplace.name_skeleton(regexp_replace(w, 'es?$', ''))
    -- status, analysis
    when length(w) > 3 and w ~ '[^sui]s$' then marketplace.name_skeleton(left(w, -1))
    else marketplace.name_skeleton(w) end
  from lower(word) as w
$$;
-- What a name shares with those that have the same words, in singular or plural, joined or not, and in another order.
-- With `to`, `from` and the like the order is the meaning; numbers keep theirs.
create function marketplace.name_orders(name text) returns text[] language sql immutable strict parallel safe as $$
  with words as (
    select marketplace.word_stem(w) as stem, w ~ '^v?[0-9]+$' as number, at
    from regexp_split_to_table(lower(name), '[._-]+') with ordinality as parts (w, at) where w <> ''),
  joined as (
    select string_agg(stem, '' order by at) as ordered,
      string_agg(stem, '' order by at desc) as turned,
      string_agg(stem, ' ' order by number, case when not number then stem end collate "C", at) as sorted,
      count(*) as words, bool_or(number) as numbered
    from words)
  select array_remove(array[
    case when length(ordered) >= 4 then ordered end,
    case when free and words = 2 and not numbered then turned end,
    case when free then sorted end], null)
  from joined, lateral (select words > 1 and length(ordered) >= 6
    and not lower(name) ~ '(^|[._-])(to|from|into|via|by|for|of|on|in|at|with|without|vs|2|4)([._-]|$)') as x (free)
$$;
alter table marketplace.names
  add column orders text[] not null generated always as (marketplace.name_orders(name)) stored;
create index names_orders on marketplace.names using gin (orders);
create or replace function marketplace.alike_name(wanted text, wanted_by text, out name text, out public boolean)
  language sql stable security definer set search_path = pg_catalog as $$
  select n.name, n.visibility = 'public' and exists (
      select 1 from marketplace.versions v where v.name = n.name and v.status in ('published', 'deprecated', 'yanked'))
  from marketplace.names n
  where n.org <> wanted_by
    and (n.near && marketplace.name_near(wanted) and marketplace.names_alike(n.name, wanted)
      or n.orders && marketplace.name_orders(wanted))
  order by n.created_at limit 1
$$;

-- Readers are told of as events (`wpk_reader.changed`); those named before that are told once, at the next start.
alter table marketplace.name_readers add column told_at timestamptz;
create index name_readers_untold on marketplace.name_readers (name, reader) where told_at is null;
grant update (told_at) on marketplace.name_readers to atom_marketplace;

-- Who is told what everybody would be told of a private package.
create table feeds.package_readers (
  name text not null,
  reader text not null,
  primary key (reader, name)
);
create index package_readers_name on feeds.package_readers (name);
comment on table feeds.package_readers is 'who may read which private package [configuration]';
alter table feeds.package_readers enable row level security;
alter table feeds.package_readers force row level security;
create policy consumer on feeds.package_readers to atom_feeds using (true) with check (true);
create policy own on feeds.package_readers for select to atom_app using (reader = platform.current_org());
grant select, insert, delete on feeds.package_readers to atom_feeds;
grant select on feeds.package_readers to atom_app;
-- The types are those of `publicTypes` in consumers/feeds/told-events.ts; a test compares.
create policy read on feeds.events for select to atom_app using (
  type in ('wpk.published', 'wpk.deprecated', 'wpk.yanked', 'wpk.blocked')
  and package = any (array(select r.name from feeds.package_readers r where r.reader = platform.current_org())));

-- The portal shows a private package to its readers too.
alter table read.packages add column readers text[] not null default '{}';
drop policy visible on read.packages;
create policy visible on read.packages for select to atom_portal
  using (org = platform.current_org() or platform.is_operator()
    or (status in ('published', 'deprecated') and platform.current_org() is not null
      and (visibility = 'public' or platform.current_org() = any (readers))));
