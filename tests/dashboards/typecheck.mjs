// typecheck.mjs WORK DASHBOARD...: every dashboard against the rules and Grafana's types. WORK is
// where package.json is installed. Exits 1 with every finding.
import {readFileSync} from 'node:fs';
import {lint, panelsOf, typecheck} from './check.mjs';

const [work, ...files] = process.argv.slice(2);
if (!files.length) {
  console.error('usage: typecheck.mjs WORK DASHBOARD...');
  process.exit(2);
}
let failed = false;
for (const file of files) {
  const dashboard = JSON.parse(readFileSync(file, 'utf8'));
  const faults = lint(dashboard);
  const findings = typecheck(work, dashboard);
  if (faults.length || findings) {
    failed = true;
    console.error(`FAIL: ${file}\n${[...faults, findings].join('\n')}`);
  } else {
    console.log(`ok    ${file}: ${panelsOf(dashboard).length} panels`);
  }
}
process.exit(failed ? 1 : 0);
