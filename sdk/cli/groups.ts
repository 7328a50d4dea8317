import { type Command, EXIT, show, table } from './command.ts'

type Group = { group: string; dead_letters: number; parked: number; stopped_reason: string | null }

export const groupCommands: Command[] = [
  {
    name: 'groups list',
    usage: '',
    summary: 'consumer groups, their dead letters, and why one stopped',
    options: {},
    async run(context) {
      const answer = await context.api.get<{ groups: Group[] }>('/data/groups')
      await show(context, answer, () =>
        table(
          ['group', 'dead letters', 'parked', 'stopped'],
          answer.groups.map((one) => [one.group, one.dead_letters, one.parked, one.stopped_reason]),
        ),
      )
      return EXIT.ok
    },
  },
  {
    name: 'groups resume',
    usage: 'GROUP',
    summary: 'let a group go on that stopped because too much failed',
    options: {},
    positionals: 1,
    async run(context, _values, [group]) {
      const path = `/data/groups/${encodeURIComponent(group ?? '')}/resume`
      const answer = await context.api.post<{ resumed: boolean }>(path, {})
      context.say(answer.resumed ? `${group} goes on` : `${group} was not stopped`)
      if (context.json) await context.out(`${JSON.stringify(answer)}\n`)
      return EXIT.ok
    },
  },
]
