// The two halves of the dashboard check: `lint` holds a dashboard to this project's rules, and
// `typecheck` to Grafana's published types, stricter than the types are by themselves:
//  - JSON has literals where the types have string enums: accepted by their values;
//  - index signatures (`[key: string]: unknown`) would let any misspelt key pass: removed;
//  - a panel's `options` and `custom` are untyped in a dashboard: each is held to the types of its
//    own kind of panel, and so are the properties of overrides.
import {mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {spawnSync} from 'node:child_process';

const TRANSFORMATIONS = ['merge', 'organize'];

// The types every generated file begins with.
const HEAD = `import type * as S from '@grafana/schema';
type Json<T> = unknown extends T ? T : T extends string ? \`\${T}\`
  : T extends number | boolean | null | undefined ? T
  : T extends (infer U)[] ? Json<U>[]
  : T extends object ? {[K in keyof Known<T>]: Json<Known<T>[K]>} : T;
type Known<T> = {[K in keyof T as string extends K ? never : K]: T[K]};
type Field = Json<Omit<S.FieldConfig, 'custom' | 'thresholds'>>;
type Thresholds = {mode: 'absolute' | 'percentage', steps: {value: number | null, color: string}[]};
type Query = Json<Omit<S.DataQuery, 'datasource'>> & {
  datasource: {type: 'prometheus', uid: string}, expr: string, legendFormat: string,
  editorMode: 'code', range: boolean, instant: boolean, interval?: string, format?: 'table' | 'time_series'};
`;

export function panelsOf(dashboard) {
  return dashboard.panels.flatMap(p => [p, ...(p.panels ?? [])]).filter(p => p.type !== 'row');
}

// Faults against this project's rules, as texts.
export function lint(dashboard) {
  const faults = [];
  const expect = (condition, text) => condition || faults.push(text);
  expect(dashboard.editable === false, 'editable must be false: changes belong in the generator');
  expect(dashboard.schemaVersion >= 39, 'schemaVersion must be 39 or later');
  const variables = dashboard.templating.list;
  const names = ['datasource', 'municipality', 'host'];
  expect(names.every((n, i) => variables[i]?.name === n), `variables must be ${names.join(', ')}`);
  for (const v of variables.filter(v => v.type === 'query')) {
    expect(v.multi && v.includeAll && v.allValue === '.+' && v.refresh === 2,
           `variable ${v.name}: must be multi, with all as .+, and refresh with the time range`);
  }
  const ids = new Set(), titles = new Set();
  for (const p of dashboard.panels) {
    expect(!ids.has(p.id), `two panels have id ${p.id}`);
    ids.add(p.id);
  }
  for (const p of panelsOf(dashboard)) {
    const on = text => `panel «${p.title}»: ${text}`;
    expect(p.title, `panel ${p.id}: no title`);
    expect(p.type === 'row' || !titles.has(`${p.type} ${p.title}`), on('a second of this title'));
    titles.add(`${p.type} ${p.title}`);
    expect(p.description, on('no description'));
    expect(p.fieldConfig?.defaults.unit, on('no unit'));
    expect(p.targets?.length, on('no query'));
    const looks = [p.fieldConfig.defaults, ...p.fieldConfig.overrides.map(
      o => Object.fromEntries(o.properties.map(x => [x.id, x.value])))];
    expect(looks[0].noValue === 'Ukjent', on('noValue must be Ukjent'));
    for (const look of looks) {
      const base = look.thresholds?.steps[0];
      expect(!base || (base.value === null && base.color === '#8e8e8e'),
             on('thresholds must begin with grey for what is not there'));
      for (const m of look.mappings ?? []) {
        expect(m.type !== 'special' || m.options.result.color === '#8e8e8e',
               on('a missing value must be grey'));
      }
    }
    for (const t of p.targets ?? []) {
      expect(t.datasource?.uid === '${datasource}', on('must use the variable datasource'));
      expect(t.instant || !['stat', 'table', 'gauge', 'bargauge'].includes(p.type),
             on('must be instant: the last value of a range may be old'));
      expect(!/\b(rate|increase)\(/.test(t.expr) || t.expr.includes('[$__rate_interval]'),
             on('rate and increase must be over $__rate_interval'));
    }
    for (const t of p.transformations ?? []) {
      expect(TRANSFORMATIONS.includes(t.id), on(`transformation ${t.id} is not one of ` +
                                                TRANSFORMATIONS.join(', ')));
    }
  }
  return faults;
}

// The published types of each kind of panel, from the installed package: kind -> {module, custom}.
function panelTypes(work) {
  const require = createRequire(join(work, 'package.json'));
  const packageFile = require.resolve('@grafana/schema/package.json');
  const exported = JSON.parse(readFileSync(packageFile, 'utf8')).exports;
  const found = new Map();
  for (const [entry, files] of Object.entries(exported)) {
    const kind = entry.match(/composable\/([a-z]+)\/panelcfg\/x\//)?.[1];
    if (!kind) continue;
    const types = readFileSync(join(packageFile, '..', files.types), 'utf8');
    found.set(kind, {module: '@grafana/schema' + entry.slice(1),
                     custom: /export (interface|type) FieldConfig\b/.test(types)});
  }
  return found;
}

function panelSource(p, i, kinds) {
  const kind = kinds.get(p.type.replaceAll('-', ''));
  if (!kind) return `export const p${i}: never = ${JSON.stringify(p.type)};  // no such panel\n`;
  const {options, fieldConfig, targets, datasource, ...rest} = p;
  const {custom, thresholds, ...defaults} = fieldConfig.defaults;
  const custom_type = kind.custom ? `Partial<Json<import('${kind.module}').FieldConfig>>` :
                                    'Record<string, never>';
  const constant = (name, type, value) =>
    `export const ${name}${i}: ${type} = ${JSON.stringify(value, null, 1)};\n`;
  let source = `// ${p.title}\n`;
  source += constant('panel', "Json<Omit<S.Panel, 'options' | 'fieldConfig' | 'targets'>>", rest);
  source += constant('source', "{type: 'prometheus', uid: string}", datasource);
  source += constant('options', `Json<import('${kind.module}').Options>`, options);
  source += constant('field', 'Field', defaults);
  source += constant('thresholds', 'Thresholds', thresholds);
  source += constant('custom', custom_type, custom);
  source += constant('queries', 'Query[]', targets);
  source += constant('matchers', "{matcher: {id: 'byName', options: string}, " +
                     'properties: unknown[]}[]', fieldConfig.overrides);
  fieldConfig.overrides.forEach((o, j) => {
    const all = Object.fromEntries(o.properties.map(x => [x.id, x.value]));
    const own = Object.fromEntries(Object.entries(all).filter(([id]) => id.startsWith('custom.'))
                                     .map(([id, value]) => [id.slice('custom.'.length), value]));
    const general = Object.fromEntries(
      Object.entries(all).filter(([id]) => !id.startsWith('custom.')));
    source += constant(`own${j}_`, custom_type, own);
    source += constant(`look${j}_`, 'Field & {thresholds?: Thresholds}', general);
  });
  return source;
}

// TypeScript's findings about the dashboard, '' when there are none.
export function typecheck(work, dashboard) {
  const directory = join(work, 'check');
  rmSync(directory, {recursive: true, force: true});
  mkdirSync(directory);
  const kinds = panelTypes(work);
  const {panels, templating, ...top} = dashboard;
  let source = HEAD;
  source += `export const top: Json<Omit<S.Dashboard, 'templating' | 'panels'>> = ${
    JSON.stringify(top, null, 1)};\n`;
  source += `export const variables: Json<S.VariableModel>[] = ${
    JSON.stringify(templating.list, null, 1)};\n`;
  const rows = panels.filter(p => p.type === 'row');
  source += `export const rows: Json<S.RowPanel>[] = ${JSON.stringify(rows, null, 1)};\n`;
  panelsOf(dashboard).forEach((p, i) => { source += panelSource(p, i, kinds); });
  writeFileSync(join(directory, 'dashboard.ts'), source);
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({
    compilerOptions: {strict: true, noEmit: true, module: 'esnext', moduleResolution: 'bundler',
                      target: 'es2022', skipLibCheck: true, types: []},
    files: ['dashboard.ts']}));
  const tsc = spawnSync(join(work, 'node_modules/.bin/tsc'), ['-p', directory], {encoding: 'utf8'});
  if (tsc.error) throw tsc.error;
  const findings = tsc.stdout + tsc.stderr;
  return tsc.status === 0 ? '' : findings || `tsc ended with ${tsc.status}`;
}
