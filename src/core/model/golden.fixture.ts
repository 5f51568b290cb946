// Worked examples that somebody has published: where, and how a test compares with them, to the
// digits that were published, absolute or relative.

import assert from "node:assert/strict";
import { it } from "node:test";

/** Where to look each of them up. */
export const sources = {
  alion: "Alion System Reliability Center, Poisson calculator",
  andrewsDunnett: "Andrews and Dunnett, Event-Tree Analysis Using Binary Decision Diagrams, 2000",
  aws: "AWS whitepaper, Availability and Beyond",
  bolch: "Bolch, Greiner, de Meer, Trivedi, Queueing Networks and Markov Chains, 1998",
  christensen: "K. Christensen, University of South Florida, assignment 3 of 1999",
  courseHero: "Course Hero 37729019",
  cs6030: "CS 6030, lecture 12",
  erlangCom: "erlang.com, the calculators' manual",
  eth: "ETH Zurich, Advanced Systems Lab 2017",
  jain: "Jain, The Art of Computer Systems Performance Analysis, 1991",
  lazowska: "Lazowska et al., Quantitative System Performance, 1984",
  medhi: "D. Medhi, CS 522, notes on queueing, version 0.94 of 1999",
  nist: "NIST/SEMATECH e-Handbook of Statistical Methods",
  octave: "Tests of the queueing package of GNU Octave",
  reid: "Tests of MatthewReid854/reliability",
  reliabilityAnalytics: "Reliability Analytics toolkit",
  reliaWiki: "ReliaWiki",
  scram: "Tests and inputs of rakhimov/scram",
  tijms: "Tijms, A First Course in Stochastic Models, 2003",
  trivedi: "Heimann, Mittal, Trivedi, Availability and Reliability Modeling, 1990",
} as const;

/** A test that a published example comes out as it was published. */
export function published(source: keyof typeof sources, example: string, run: () => void): void {
  it(`${sources[source]}, ${example}`, run);
}

export function near(actual: number, expected: number | undefined, tolerance: number): void {
  assert.ok(
    expected !== undefined && Math.abs(actual - expected) <= tolerance,
    `${actual} is not ${expected} +- ${tolerance}`,
  );
}

export function nearRelative(actual: number, expected: number | undefined, ratio: number): void {
  near(actual, expected, Math.abs(expected ?? 0) * ratio);
}
