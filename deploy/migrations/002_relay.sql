-- The relay carries the outbox to Kafka. It reads events and keeps its own cursor; it may change nothing else.
do $$
begin
  begin
    create role atom_relay login nosuperuser nobypassrls noinherit;
  exception when duplicate_object or unique_violation then null;
  end;
  begin
    grant atom_relay to current_user;
  exception when insufficient_privilege then
    if not pg_has_role(current_user, 'atom_relay', 'member') then
      raise exception 'role atom_relay exists and % may not become it: let an administrator run: grant atom_relay to %',
        current_user, current_user using errcode = 'insufficient_privilege';
    end if;
  end;
end $$;

grant usage on schema platform to atom_relay;
grant select on platform.event_log to atom_relay;
grant select, insert, update on platform.cursors to atom_relay;
