import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { armFault, fault } from '../../platform/fault.ts'
import { sourceFiles } from '../architecture/imports.ts'
import { points } from '../faults/points.ts'
import { rejected } from '../support/rejected.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Runs the lines in a process of their own; what it printed, and the signal that ended it. */
async function run(lines: string): Promise<{ printed: string; signal: string | null }> {
  const code = `import { armFault, fault } from './platform/fault.ts'\n${lines}`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], { cwd: root })
  let printed = ''
  child.stdout.on('data', (chunk) => (printed += chunk))
  const signal = await new Promise<string | null>((resolve) => child.once('close', (_, name) => resolve(name)))
  return { printed, signal }
}
/** Written at once: a line that is still in a buffer when the process dies would look like a step not made. */
const say = (text: string) => `;(await import('node:fs')).writeSync(1, '${text}')`

describe('platform/fault', () => {
  it('does nothing in a process that is not armed', () => {
    expect(() => fault('usage.before-produce')).not.to.throw()
  })

  it('kills the process at the point named, and not one step later', async () => {
    const ended = await run(`armFault('b')\n${say('1')}\nfault('a')\n${say('2')}\nfault('b')\n${say('3')}`)
    expect(ended).to.deep.equal({ printed: '12', signal: 'SIGKILL' })
  })

  it('waits for the n-th time, and counts only where it was told', async () => {
    const ended = await run(
      `armFault('b@here:2')\nfor (const where of ['here', 'there', undefined, 'here', 'here']) { fault('b', where); ${say('x')} }`,
    )
    expect(ended).to.deep.equal({ printed: 'xxx', signal: 'SIGKILL' })
  })

  for (const text of ['', 'UPPER', 'a:0', 'a@', 'a b'])
    it(`refuses ${JSON.stringify(text)}`, async () => {
      const error = await rejected((async () => armFault(text))())
      expect(error.message).to.contain('point[@where][:n]')
    })

  it('has every point of the source in the list that the fault runs take, and no other', () => {
    const called = sourceFiles(root)
      .filter(({ path }) => !path.startsWith('tests/'))
      .flatMap(({ text }) => [...text.matchAll(/\bfault\('([a-z-]+\.[a-z-]+)'/g)].map((match) => match[1] as string))
    expect(called.toSorted()).to.deep.equal(points.map(({ name }) => name).toSorted())
  })
})
