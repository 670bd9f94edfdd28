// selftest.mjs WORK DASHBOARD: plants faults in a good dashboard, one at a time for the rules and
// all at once for the types (a compiler run is dear), and exits 1 when one of them is not found.
import {readFileSync} from 'node:fs';
import {lint, panelsOf, typecheck} from './check.mjs';

const [work, file] = process.argv.slice(2);
const fresh = () => JSON.parse(readFileSync(file, 'utf8'));
const ofKind = (d, type) => panelsOf(d).find(p => p.type === type);
const withOverride = d => panelsOf(d).find(p => p.fieldConfig.overrides.length);

// Each with a text that the finding must have.
const againstRules = [
  ['no description', d => { delete ofKind(d, 'stat').description; }],
  ['no unit', d => { delete ofKind(d, 'stat').fieldConfig.defaults.unit; }],
  ['no title', d => { ofKind(d, 'stat').title = ''; }],
  ['editable', d => { d.editable = true; }],
  ['$__rate_interval', d => { ofKind(d, 'timeseries').targets[0].expr = 'rate(up[5m])'; }],
  ['variable datasource', d => { ofKind(d, 'stat').targets[0].datasource.uid = 'mine'; }],
  ['must be instant', d => { ofKind(d, 'stat').targets[0].instant = false; }],
  ['begin with grey', d => { ofKind(d, 'stat').fieldConfig.defaults.thresholds.steps[0].color =
                               'green'; }],
  ['must be multi', d => { d.templating.list[1].allValue = '.*'; }],
  ['two panels have id', d => { d.panels[2].id = d.panels[1].id; }],
  ['transformation', d => { ofKind(d, 'table').transformations[0].id = 'mergeAll'; }],
];
const againstTypes = [
  ['"absolut"', d => { ofKind(d, 'stat').fieldConfig.defaults.thresholds.mode = 'absolut'; }],
  ['placment', d => { ofKind(d, 'timeseries').options.legend.placment = 'bottom'; }],
  ['lineWidht', d => { ofKind(d, 'timeseries').fieldConfig.defaults.custom.lineWidht = 1; }],
  ['rainbow', d => { ofKind(d, 'stat').options.colorMode = 'rainbow'; }],
  ['refrsh', d => { d.refrsh = '15s'; }],
  ['legendFromat', d => { ofKind(d, 'stat').targets[0].legendFromat = 'x'; }],
  ['decimls', d => { withOverride(d).fieldConfig.overrides[0].properties.push(
                       {id: 'decimls', value: 1}); }],
  ['cellHight', d => { ofKind(d, 'table').options.cellHight = 'sm'; }],
  ['includeEverything', d => { d.templating.list[1].includeEverything = true; }],
  ['alwas', d => { ofKind(d, 'state-timeline').options.showValue = 'alwas'; }],
];

const missed = [];
for (const [text, plant] of againstRules) {
  const dashboard = fresh();
  plant(dashboard);
  if (!lint(dashboard).some(fault => fault.includes(text))) missed.push(`rules: ${text}`);
}
const dashboard = fresh();
for (const [, plant] of againstTypes) plant(dashboard);
const findings = typecheck(work, dashboard);
for (const [text] of againstTypes) {
  if (!findings.includes(text)) missed.push(`types: ${text}`);
}
if (missed.length) {
  console.error(`FAIL: planted faults not found:\n${missed.join('\n')}\nfound:\n${findings}`);
  process.exit(1);
}
console.log(`ok    ${againstRules.length + againstTypes.length} planted faults found`);
