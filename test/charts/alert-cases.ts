/** What Prometheus would scrape from an installation with nothing wrong, and what is different when something is. One value a minute. */

/** Series by name: values in promtool's notation (`start+step x count`). */
export type Scraped = Readonly<Record<string, string>>;

const MINUTES = 150;
/** Where every case is judged. */
export const JUDGED_AT = '140m';

const always = (value: number): string => `${value}x${MINUTES}`;
const growing = (step: number, start = 0): string => `${start}+${step}x${MINUTES}`;
/** The clock of the tests begins at 0. */
const DAYS = 86_400;

export const SOUND: Scraped = {
  'enclave_agent_tpm_up{instance="n1"}': always(1),
  'enclave_agent_tpm_failures_total{instance="n1",kind="reset"}': always(1),
  'enclave_agent_queue_wait_seconds_bucket{instance="n1",le="0.1"}': growing(100),
  'enclave_agent_queue_wait_seconds_bucket{instance="n1",le="30"}': growing(100),
  'enclave_agent_queue_wait_seconds_bucket{instance="n1",le="+Inf"}': growing(100),
  'enclave_agent_turned_away_total{instance="n1",code="caller-busy"}': always(5),
  'enclave_agent_attestation_key_certificate_not_after_seconds{instance="n1"}': always(80 * DAYS),
  'enclave_agent_identity_not_after_seconds{instance="n1"}': always(2 * DAYS),
  'enclave_agent_enrolments_total{instance="n1",result="failed"}': always(2),
  'enclave_agent_callers_total{instance="n1",code="ok"}': growing(1),
  'enclave_agent_pod_watch_failures_total{instance="n1"}': always(1),
  'enclave_agent_revocations_total{instance="n1",result="ok"}': growing(1),
  'enclave_agent_trust_document_version{instance="n1"}': growing(1),
  'enclave_certs_leader{instance="c1"}': always(1),
  'enclave_certs_leader{instance="c2"}': always(0),
  'enclave_certs_trust_document_version{instance="c1"}': growing(1),
  'enclave_certs_root_not_after_seconds{instance="c1",issuer="system"}': always(3000 * DAYS),
  'enclave_certs_requests_total{instance="c1",signer="users",outcome="issued"}': growing(5),
  'enclave_certs_requests_queued{instance="c1",loop="sign"}': always(2),
  'enclave_certs_retries_total{instance="c1",loop="sign"}': always(4),
  'enclave_certs_enrolments_total{instance="c1",outcome="enrolled"}': always(2),
  'enclave_certs_revocations{instance="c1",kind="certificates"}': always(40),
  'enclave_webhook_keeper_copy_current{instance="w1"}': always(1),
  'enclave_webhook_keeper_leads{instance="w1"}': always(1),
  'enclave_webhook_findings{instance="w1",reason="sidecar-missing"}': always(0),
  'enclave_webhook_keeper_failures_total{instance="w1",what="policy"}': always(1),
  'enclave_webhook_refusals_total{instance="w1",endpoint="mutate",code="image-unpinned"}': always(7),
  'enclave_webhook_rejected_total{instance="w1",code="handshake-failed"}': growing(60),
  'enclave_webhook_review_seconds_bucket{instance="w1",endpoint="mutate",le="0.01"}': growing(30),
  'enclave_webhook_review_seconds_bucket{instance="w1",endpoint="mutate",le="10"}': growing(30),
  'enclave_webhook_review_seconds_bucket{instance="w1",endpoint="mutate",le="+Inf"}': growing(30),
  'enclave_front_trust_document_version{instance="f1"}': growing(1),
  'enclave_launcher_trust_document_version{instance="l1"}': growing(1),
  'enclave_front_seats_taken{instance="f1"}': always(3),
  'enclave_front_rpc_seconds_count{instance="f1",method="/s/Launch",status="OK"}': growing(6),
  'enclave_front_rpc_seconds_bucket{instance="f1",method="/s/GetEnclave",le="0.1"}': growing(60),
  'enclave_front_rpc_seconds_bucket{instance="f1",method="/s/GetEnclave",le="10"}': growing(60),
  'enclave_front_rpc_seconds_bucket{instance="f1",method="/s/GetEnclave",le="+Inf"}': growing(60),
  'enclave_front_launches_total{instance="f1",outcome="ready"}': growing(6),
  'enclave_front_launch_phase_seconds_bucket{instance="f1",phase="ready",le="4"}': growing(6),
  'enclave_front_launch_phase_seconds_bucket{instance="f1",phase="ready",le="60"}': growing(6),
  'enclave_front_launch_phase_seconds_bucket{instance="f1",phase="ready",le="+Inf"}': growing(6),
  'enclave_front_logins_total{instance="f1",outcome="ok"}': growing(10),
  'enclave_front_orphans_removed_total{instance="f1"}': always(1),
  'enclave_launcher_process_cpu_seconds_total{instance="l1"}': growing(1),
  'enclave_launcher_evidence_seconds_count{instance="l1",outcome="ok"}': growing(10),
  'enclave_launcher_user_certificates_total{instance="l1",outcome="issued"}': growing(6),
  'enclave_sidecar_certificate_failures{instance="p1"}': always(1),
  'enclave_sidecar_certificate_not_after_seconds{instance="p1"}': always(DAYS),
  // Certificates of ten minutes are renewed with less than five to go.
  'enclave_sidecar_certificate_failures{instance="p2"}': always(0),
  'enclave_sidecar_certificate_not_after_seconds{instance="p2"}': always(8600),
  'enclave_sidecar_trust_document_version{instance="p1"}': growing(1),
  'enclave_sidecar_forward_failures_total{instance="p1"}': always(2),
};

/** Absent from here on. */
const gone = (value: number): string => `${value}x100 _x${MINUTES - 100}`;
/** No series at all. */
const NONE = '';

/** What is different, by the one alert that it must raise. */
export const CASES: Readonly<Record<string, Scraped>> = {
  EnclaveTpmDown: { 'enclave_agent_tpm_up{instance="n1"}': always(0) },
  EnclaveAgentGone: {
    'enclave_agent_tpm_up{instance="n2"}': gone(1),
    'enclave_agent_tpm_up{instance="n1"}': always(1),
  },
  EnclaveTpmFailing: { 'enclave_agent_tpm_failures_total{instance="n1",kind="reset"}': growing(3) },
  EnclaveTpmSlow: { 'enclave_agent_queue_wait_seconds_bucket{instance="n1",le="0.1"}': growing(10) },
  EnclaveAgentTurnsAway: { 'enclave_agent_turned_away_total{instance="n1",code="caller-busy"}': growing(20) },
  EnclaveAttestationKeyEnding: {
    'enclave_agent_attestation_key_certificate_not_after_seconds{instance="n1"}': always(10 * DAYS),
  },
  EnclaveAgentCertificateEnding: { 'enclave_agent_identity_not_after_seconds{instance="n1"}': always(8800) },
  EnclaveEnrolmentFailing: { 'enclave_agent_enrolments_total{instance="n1",result="failed"}': growing(1) },
  EnclaveCallersRefused: { 'enclave_agent_callers_total{instance="n1",code="caller-address"}': growing(1) },
  EnclavePodWatchFailing: { 'enclave_agent_pod_watch_failures_total{instance="n1"}': growing(6) },
  EnclaveRevocationFailing: { 'enclave_agent_revocations_total{instance="n1",result="failed"}': growing(1) },
  EnclaveCertsNoLeader: { 'enclave_certs_leader{instance="c1"}': always(0) },
  EnclaveTrustDocumentOld: {
    'enclave_certs_trust_document_version{instance="c1"}': always(100),
    'enclave_agent_trust_document_version{instance="n1"}': always(100),
    'enclave_sidecar_trust_document_version{instance="p1"}': always(100),
  },
  EnclaveTrustDocumentNotArriving: { 'enclave_front_trust_document_version{instance="f1"}': always(50) },
  EnclaveTrustDocumentRefused: {
    'enclave_launcher_trust_documents_refused_total{instance="l1",code="evidence-untrusted"}': growing(1),
  },
  EnclaveRootEnding: {
    'enclave_certs_root_not_after_seconds{instance="c1",issuer="system"}': always(80 * DAYS),
  },
  EnclaveCertificateRequestsFailing: {
    'enclave_certs_requests_total{instance="c1",signer="enclaves",outcome="pod-unknown"}': growing(6),
  },
  EnclaveCertificateRequestsWaiting: {
    'enclave_certs_requests_queued{instance="c1",loop="sign"}': always(400),
  },
  EnclaveCertsRetrying: { 'enclave_certs_retries_total{instance="c1",loop="sign"}': growing(60) },
  EnclaveEnrolmentRefused: {
    'enclave_certs_enrolments_total{instance="c1",outcome="ek-untrusted"}': growing(1),
  },
  EnclaveRevocationsFull: { 'enclave_certs_revocations{instance="c1",kind="certificates"}': always(1400) },
  EnclaveWebhookDown: {
    'enclave_webhook_keeper_copy_current{instance="w1"}': NONE,
    // Who leads is another's to say.
    'enclave_webhook_keeper_leads{instance="w1"}': always(1),
  },
  EnclaveFindings: { 'enclave_webhook_findings{instance="w1",reason="sidecar-missing"}': always(2) },
  EnclaveKeeperNoLeader: { 'enclave_webhook_keeper_leads{instance="w1"}': always(0) },
  EnclaveKeeperBlind: { 'enclave_webhook_keeper_copy_current{instance="w1"}': always(0) },
  EnclaveKeeperFailing: { 'enclave_webhook_keeper_failures_total{instance="w1",what="policy"}': growing(3) },
  EnclaveWebhookRefusing: {
    'enclave_webhook_refusals_total{instance="w1",endpoint="mutate",code="image-unpinned"}': growing(10),
  },
  EnclaveWebhookRejecting: { 'enclave_webhook_rejected_total{instance="w1",code="busy"}': growing(10) },
  EnclaveWebhookSlow: {
    'enclave_webhook_review_seconds_bucket{instance="w1",endpoint="mutate",le="0.01"}': growing(20),
  },
  EnclaveFrontDown: { 'enclave_front_seats_taken{instance="f1"}': NONE },
  EnclaveFrontFailing: {
    'enclave_front_rpc_seconds_count{instance="f1",method="/s/Login",status="UNAVAILABLE"}': growing(6),
  },
  EnclaveFrontSlow: {
    'enclave_front_rpc_seconds_bucket{instance="f1",method="/s/GetEnclave",le="0.1"}': growing(10),
  },
  EnclaveLaunchesFailing: { 'enclave_front_launches_total{instance="f1",outcome="pod-refused"}': growing(3) },
  EnclaveLaunchesSlow: {
    'enclave_front_launch_phase_seconds_bucket{instance="f1",phase="ready",le="4"}': growing(1),
  },
  EnclaveNoSeats: {
    'enclave_front_rpc_seconds_count{instance="f1",method="/s/Launch",status="RESOURCE_EXHAUSTED"}':
      growing(1),
  },
  EnclaveLoginsOverloaded: { 'enclave_front_logins_total{instance="f1",outcome="overloaded"}': growing(30) },
  EnclaveLoginsFailing: {
    'enclave_front_logins_total{instance="f1",outcome="wrong-credentials"}': growing(100),
  },
  EnclaveOrphansRemoved: { 'enclave_front_orphans_removed_total{instance="f1"}': growing(1) },
  EnclaveLauncherDown: { 'enclave_launcher_process_cpu_seconds_total{instance="l1"}': NONE },
  EnclaveEvidenceFailing: {
    'enclave_launcher_evidence_seconds_count{instance="l1",outcome="failed"}': growing(10),
  },
  EnclaveUserCertificatesFailing: {
    'enclave_launcher_user_certificates_total{instance="l1",outcome="denied"}': growing(1),
  },
  EnclaveSidecarCertificateFailing: { 'enclave_sidecar_certificate_failures{instance="p1"}': always(9) },
  EnclaveSidecarCertificateEnding: {
    'enclave_sidecar_certificate_not_after_seconds{instance="p1"}': always(8600),
  },
  EnclaveSidecarTrustOld: { 'enclave_sidecar_trust_document_version{instance="p1"}': always(60) },
  EnclaveAppUnreachable: { 'enclave_sidecar_forward_failures_total{instance="p1"}': growing(20) },
};
