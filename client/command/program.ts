import { Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_RELEASE_NAMESPACE } from '../../names/components.ts';
import { VERSION } from '../../names/version.ts';
import { parseDuration } from '../../platform/config/duration.ts';
import { login, logout, type PasswordFlags, signup } from './account-commands.ts';
import { listClusterNodes, releaseClusterNode, rotateClusterNode } from './admin-nodes-commands.ts';
import { listRevoked, type RevokeUserFlags, restoreOne, revokeOne } from './admin-users-commands.ts';
import { type BundleFlags, exportFiles, showBundle } from './bundle-commands.ts';
import { type CertificateFlags, certificate } from './certificate-command.ts';
import { type ConnectFlags, connect } from './connect-command.ts';
import { type DoctorFlags, doctor } from './doctor/doctor-command.ts';
import { list, status, stop } from './enclave-commands.ts';
import { type GrantFlags, grant, listGrants } from './grant-commands.ts';
import { type InitFlags, init } from './init-command.ts';
import { type KeyFlags, key } from './key-command.ts';
import { type LaunchFlags, launch } from './launch-command.ts';
import { policyCheck } from './policy/policy-check.ts';
import { type PolicyDiffFlags, policyDiff } from './policy/policy-diff.ts';
import { type PolicyDigestFlags, policyDigest } from './policy/policy-digest.ts';
import { type PolicyInitFlags, policyInit } from './policy/policy-init.ts';
import { type RevokeGrantFlags, revokeGrant } from './revoke-grant-command.ts';
import type { GlobalFlags } from './settings.ts';
import { type AcceptFlags, acceptTpm, showTrust } from './trust-commands.ts';
import { type VerifyFlags, verifyFile } from './verify-command.ts';
import type { AdminFlags } from './with-cluster.ts';
import type { Workspace } from './workspace.ts';

const EPILOGUE = `
Global flags stand before or after the command, and are read from the environment too: ENCLAVECTL_SERVER, ENCLAVECTL_CA,
ENCLAVECTL_POLICY, ENCLAVECTL_SERVER_NAME.

Exit codes: 0 good, 1 the evidence is refused by a verdict, 2 wrong use, 3 cannot reach, 4 not allowed,
5 a fault of ours, 130 interrupted.`;

const DOCTOR_EPILOGUE = `
It reads, and changes nothing. With --server (or after init) front is asked as well; with --ca the roots are compared.
Exit codes: 0 nothing found, 1 warnings, or something that could not be looked at, 2 problems, 3 the API server cannot be reached.`;

/** A command line: the flags that every command takes are given to `open`, which makes what the command works with. */
export function createProgram(open: (flags: GlobalFlags) => Workspace): Command {
  const program = new Command('enclavectl')
    .description('Launch enclaves, verify what they prove, and talk to exactly those.')
    .option('--server <host:port>', 'the licensing server')
    .option('--ca <file>', "the operator's roots.json")
    .option('--server-name <name>', "DNS name in the server's certificate")
    .option('--policy <file>', 'what evidence is accepted (YAML or JSON)')
    .option('--json', 'one JSON document on standard output')
    .addHelpText('after', EPILOGUE)
    .version(`enclavectl ${VERSION}`, '--version')
    .showHelpAfterError(false);

  const command = <F extends object>(
    nameAndArguments: string,
    description: string,
    run: (workspace: Workspace, first: string, flags: F) => Promise<void>,
    parent: Command = program,
  ): Command => {
    const made = parent.command(nameAndArguments).description(description);
    return made.action(async () => {
      const flags = made.optsWithGlobals<GlobalFlags & F>();
      await run(open(flags), made.args[0] ?? '', flags);
    });
  };
  const passwordFile = () =>
    new Option('--password-file <file>', 'first line is the password; otherwise it is asked for');
  const enclave = () => new Option('--enclave <id>', 'which enclave, when there are several');

  const at = () => new Option('--at <time>', 'judge as of this time (ISO 8601 or Unix seconds)');

  command<InitFlags>('init', "pin the operator's roots and remember the server", (w, _, flags) =>
    init(w, flags),
  )
    .option('--fingerprint <sha256>', "SHA-256 of the operator's roots.json, instead of --ca")
    .option('--replace', 'pin these although others are pinned');
  command<PasswordFlags>('signup <user>', 'make an account', signup).addOption(passwordFile());
  command<PasswordFlags>('login <user>', 'open a session', login).addOption(passwordFile());
  command('logout', 'forget the session', (w) => logout(w));
  command<LaunchFlags>('launch <profile>', 'launch an enclave and verify it', launch)
    .addOption(new Option('--launch-id <hex>', 'join a launch that was interrupted'))
    .addOption(new Option('--profile-file <file>', "the operator's EnclaveProfile, to compare the pod with"))
    .addOption(
      new Option('--timeout <duration>', 'how long to wait in all')
        .default(300_000, '5m')
        .argParser(duration),
    );
  command<{ all?: boolean }>('ls', 'list your enclaves', (w, _, flags) => list(w, flags)).option(
    '--all',
    'stopped and failed ones too',
  );
  command<{ verify?: boolean }>('status <enclave>', 'where an enclave stands', status).option(
    '--verify',
    'fetch fresh evidence and verify it',
  );
  command<CertificateFlags>(
    'certificate <enclave>',
    'issue or renew your certificate for an enclave',
    certificate,
  )
    .option('--key <file>', 'bring your key (PKCS#8 PEM), for a self-deployed enclave')
    .option('--grant <file>', "the owner's grant, for a key that is not the owner's");
  command<KeyFlags>('key <enclave>', 'show the hash of your key for an enclave, for its owner to grant', key)
    .option('--new', 'make one')
    .option('--replace', "with --new: in the place of the one that is held, if that is not the owner's");
  command<GrantFlags>('grant <enclave>', 'let another key connect to your enclave until a time', grant)
    .option('--key <file>', 'that key: PEM of the public key, a certificate or a certificate request')
    .option('--key-sha256 <hex>', 'or its hash, as enclavectl key shows it to who holds it')
    .requiredOption('--user <name>', 'who may use it, by the name at the server')
    .addOption(new Option('--for <duration>', 'how long, for example 8h; at most 2160h').argParser(duration))
    .option('--until <time>', 'or until when (ISO 8601 or Unix seconds)')
    .option('--out <file>', 'the file to hand over (default: ENCLAVE-KEY.grant)');
  command('grants <enclave>', 'list what you granted from here', listGrants);
  command<RevokeGrantFlags>(
    'revoke-grant <enclave>',
    'take back what you granted to a key; its open connections end',
    revokeGrant,
  )
    .option('--key-sha256 <hex>', 'hash of the key')
    .option('--grant <file>', 'or the file that enclavectl grant wrote');
  command<VerifyFlags>(
    'verify [file]',
    'verify a bundle offline: a bundle.json, or a folder that bundle export wrote',
    verifyFile,
  )
    .option('--nonce <bytes>', 'the nonce that the evidence must repeat (hex or base64url)')
    .addOption(at())
    .addOption(enclave())
    .option('--owner-key <sha256>', 'the owner key that the enclave must have')
    .option(
      '--explain <check>',
      'what a check means, why it matters, what to do when it fails; needs no bundle',
    );
  command<ConnectFlags>(
    'connect <enclave>',
    'attest an enclave, then forward a local port or standard input and output',
    connect,
  )
    .option('--listen <[host:]port>', 'local port to forward; otherwise standard input and output')
    .option('--endpoint <host:port>', 'where it is, for a self-deployed enclave')
    .option('--alpn <names>', 'protocols to offer, separated by commas (default http/1.1)')
    .addOption(
      new Option(
        '--renew-evidence <duration>',
        "how often evidence is renewed while connected (default 5m, at most half the policy's maxAge)",
      ).argParser(duration),
    )
    .option('--quiet', 'say nothing of good verdicts');
  command<{ keep?: boolean }>('stop <enclave>', 'end an enclave', stop).option(
    '--keep',
    'keep its key and bundle here',
  );
  const trust = program
    .command('trust')
    .description('what was seen before and is held against the next time');
  command(
    'show',
    'show the roots, the trust document and the nodes that were seen',
    (w) => showTrust(w),
    trust,
  );
  command<AcceptFlags>(
    'accept <node>',
    'accept what was refused of a node: another TPM, or one that went back',
    acceptTpm,
    trust,
  ).option('--yes', 'do not ask');
  const bundle = program.command('bundle').description('the evidence that is kept here');
  command<BundleFlags>(
    'export <dir>',
    'write every part as a file in its standard format, with verify.sh to judge them',
    exportFiles,
    bundle,
  )
    .addOption(enclave())
    .option('--bundle <file>', 'this bundle instead of a kept one')
    .option('--credentials <dir>', 'folder for your key and certificate (default: the same)');
  command<BundleFlags>('show', 'show what a bundle says', (w, _, flags) => showBundle(w, flags), bundle)
    .addOption(enclave())
    .option('--bundle <file>', 'this bundle instead of a kept one');
  const policy = program.command('policy').description('what evidence is accepted, as a file');
  command<PolicyInitFlags>(
    'init [file]',
    'write a policy that accepts what a bundle shows, and nothing else (default: policy.yaml)',
    policyInit,
    policy,
  )
    .requiredOption(
      '--from <bundle>',
      'a bundle.json, a folder that bundle export wrote, or an enclave that is kept here',
    )
    .addOption(at())
    .option('--force', 'replace the file that is there');
  command('check <file>', 'say what a policy pins, and what it lets through', policyCheck, policy);
  command<PolicyDiffFlags>(
    'diff <bundle>',
    'compare what a bundle has with what the policy accepts, member by member',
    policyDiff,
    policy,
  ).addOption(at());
  command<PolicyDigestFlags>(
    'digest <profile>',
    'compute specSha256 of the pod that a profile is launched as, offline',
    policyDigest,
    policy,
  )
    .addOption(
      new Option('--enclave <id>', 'its id (default: the one that is kept here with this owner key)'),
    )
    .option(
      '--owner-key <hex|file>',
      'SHA-256 of its SPKI, or a PEM file (default: the one kept for the enclave)',
    )
    .option('--roots <file>', "the operator's roots.json (default: the pinned one)")
    .option('--sidecar-image <image>', 'NAME@sha256:DIGEST (default: the one in the policy)')
    .option('--enclave-domain <name>', 'what the names of enclaves end in')
    .option('--canonical', 'the JSON that it is the hash of, for sha256sum');
  const operator = program.command('admin').description("for the cluster's operator, with the kubeconfig");
  const admin = <F extends AdminFlags>(
    parent: Command,
    nameAndArguments: string,
    description: string,
    run: (workspace: Workspace, first: string, flags: F) => Promise<void>,
  ): Command =>
    command<F>(nameAndArguments, description, run, parent)
      .option('--kubeconfig <file>', 'default: KUBECONFIG, else ~/.kube/config')
      .option('--context <name>', 'context of the kubeconfig (default: the current one)')
      .option('--namespace <name>', 'namespace of the release', DEFAULT_RELEASE_NAMESPACE);
  const nodes = operator.command('nodes').description('nodes, their TPMs and attestation keys');
  admin(nodes, 'ls', 'list the nodes that enrolled', (w, _, flags) => listClusterNodes(w, flags));
  admin(nodes, 'release <node>', "let another TPM enrol under the node's name", releaseClusterNode).option(
    '--yes',
    'do not ask',
  );
  admin(
    nodes,
    'rotate <node>',
    'have the agent replace the attestation key by another one',
    rotateClusterNode,
  );
  const checked = admin<DoctorFlags>(
    program,
    'doctor',
    'check an installation from outside, and say what to do for each finding',
    (w, _, flags) => doctor(w, flags),
  );
  checked
    .option('--allow-warnings', 'exit code 0 where there are warnings and nothing worse')
    .addHelpText('after', DOCTOR_EPILOGUE);
  const users = operator.command('users').description('users who are kept out');
  admin(users, 'ls', 'list users who are revoked', (w, _, flags) => listRevoked(w, flags));
  admin<RevokeUserFlags>(
    users,
    'revoke <user>',
    'take access to everything from a user; open connections end',
    revokeOne,
  ).option('--note <text>', 'why, for other operators');
  admin(users, 'restore <user>', 'take that back', restoreOne);
  return strict(program);
}

function duration(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined) throw new InvalidArgumentError('write a duration such as 90s or 5m.');
  return milliseconds;
}

/** Errors are thrown, not printed: one place prints them. */
function strict(command: Command): Command {
  command.exitOverride().configureOutput({ writeErr: () => undefined });
  command.commands.forEach(strict);
  return command;
}
