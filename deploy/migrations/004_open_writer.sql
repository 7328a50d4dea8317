-- Who holds the readers of the log back: the oldest transaction that has written, of any database of this server, and
-- prepared ones, which no session shows. Only its owner may see the sessions of all.
create function platform.oldest_writer()
  returns table (pid int, application text, role text, database text, begun text, seconds float8)
  language sql stable security definer set search_path = pg_catalog as $$
  select pid, application, role, database, begun::text, extract(epoch from clock_timestamp() - begun)::float8
  from (
    select pid, application_name as application, usename::text as role, datname::text as database, xact_start as begun
    from pg_stat_activity where backend_xid is not null and xact_start is not null
    union all
    select null, 'prepared transaction ' || gid, owner::text, database::text, prepared from pg_prepared_xacts
  ) w order by begun limit 1
$$;
revoke execute on function platform.oldest_writer from public;
grant execute on function platform.oldest_writer to atom_data;
drop function platform.oldest_transaction_seconds();
