'use strict';

// Renders /openapi.json: one block an operation, grouped by tag. Text is only ever set as text.
const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function table(rows) {
  const made = element('table');
  for (const cells of rows) {
    const row = element('tr');
    for (const cell of cells) row.append(element('td', cell));
    made.append(row);
  }
  return made;
}

function example(content) {
  for (const [type, media] of Object.entries(content ?? {})) {
    if (media.example === undefined) continue;
    const text = typeof media.example === 'string' ? media.example : JSON.stringify(media.example, null, 2);
    return [element('p', type, { class: 'muted' }), element('pre', text)];
  }
  return [];
}

function operation(path, method, value) {
  const block = element('details');
  const head = element('summary');
  head.append(element('span', method, { class: 'method' }), element('code', path), ` ${value.summary ?? ''}`);
  block.append(head);
  if (value.description) block.append(element('p', value.description));
  const scopes = (value.security ?? []).flatMap((entry) => Object.values(entry).flat());
  if (scopes.length > 0) block.append(element('p', `Scope: ${scopes.join(', ')}`, { class: 'muted' }));
  if (value.parameters?.length) {
    block.append(element('h4', 'Parameters'));
    block.append(table(value.parameters.map((p) => [p.name, p.in, p.required ? 'required' : '', p.description ?? ''])));
  }
  if (value.requestBody) block.append(element('h4', 'Body'), ...example(value.requestBody.content));
  block.append(element('h4', 'Answers'));
  const answers = Object.entries(value.responses ?? {});
  block.append(table(answers.map(([status, answer]) => [status, answer.description ?? ''])));
  for (const [status, answer] of answers) if (status < '300') block.append(...example(answer.content));
  return block;
}

async function render() {
  const main = document.getElementById('operations');
  const description = await (await fetch('/openapi.json')).json();
  const groups = new Map();
  for (const [path, item] of Object.entries(description.paths)) {
    for (const method of METHODS.filter((name) => item[name])) {
      const tag = item[method].tags?.[0] ?? 'other';
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(operation(path, method, item[method]));
    }
  }
  for (const [tag, blocks] of groups) main.append(element('h2', tag), ...blocks);
}

render().catch((error) => document.getElementById('operations').append(element('p', `Not available: ${error}`)));
