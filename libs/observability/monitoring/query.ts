import type { SyntaxNode } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';

/** What a query asks for, as far as it can be held against the metric table. */
export interface ParsedQuery {
  /** Where it is no PromQL. */
  problems: string[];
  selectors: Selector[];
  /** Labels that it groups, matches or joins by. */
  groupings: string[];
}

export interface Selector {
  /** Empty for `{job="a"}`. */
  metric: string;
  matchers: { label: string; operator: string; value: string }[];
}

export function parseQuery(query: string): ParsedQuery {
  const parsed: ParsedQuery = { problems: [], selectors: [], groupings: [] };
  const textOf = (node: SyntaxNode | null) => (node === null ? '' : query.slice(node.from, node.to));
  parser.parse(query).iterate({
    enter({ type, node }) {
      if (type.isError)
        parsed.problems.push(`not PromQL at ${node.from}: ${query.slice(node.from, node.from + 20)}`);
      if (type.name === 'VectorSelector') parsed.selectors.push(readSelector(node, textOf));
      if (type.name === 'GroupingLabels') parsed.groupings.push(...node.getChildren('LabelName').map(textOf));
    },
  });
  return parsed;
}

function readSelector(node: SyntaxNode, textOf: (node: SyntaxNode | null) => string): Selector {
  const matchers = node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? [];
  return {
    metric: textOf(node.getChild('Identifier')),
    matchers: matchers.map((matcher) => ({
      label: textOf(matcher.getChild('LabelName')),
      operator: textOf(matcher.getChild('MatchOp')),
      value: textOf(matcher.getChild('StringLiteral')).slice(1, -1),
    })),
  };
}
