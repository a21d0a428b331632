namespace Proxy.Operations;

/// <summary>All log messages of the proxy. They name no patient and no search value; UIDs at level Debug only.</summary>
/// <remarks>
/// <code>
/// 10xx process, settings   11xx events     12xx backends   13xx disk       14xx metadata, owners   15xx cache
/// 16xx search              17xx retrieve   18xx codecs     20xx prefetch  21xx identity   22xx rights
/// </code>
/// A number identifies a message in monitoring rules: it never changes its meaning.
/// </remarks>
internal static partial class Log
{
    /// <summary>A settings reload has errors.</summary>
    [LoggerMessage(1001, LogLevel.Error, "Changed settings are invalid; the previous settings stay in effect: {Errors}")]
    public static partial void SettingsInvalid(this ILogger logger, string errors);

    /// <summary>A settings reload took effect.</summary>
    [LoggerMessage(1002, LogLevel.Information, "Settings reloaded: backends {Backends}; changed: {Keys}")]
    public static partial void SettingsReloaded(this ILogger logger, string backends, string keys);

    /// <summary>A settings reload changed settings that are read at the start only.</summary>
    [LoggerMessage(1003, LogLevel.Warning, "These changed settings take effect after a restart: {Keys}")]
    public static partial void SettingsNeedRestart(this ILogger logger, string keys);

    /// <summary>Settings are present that this version ignores.</summary>
    [LoggerMessage(1004, LogLevel.Warning, "These settings have no effect in this version: {Keys}")]
    public static partial void SettingsUnused(this ILogger logger, string keys);

    /// <summary>The proxy itself failed.</summary>
    [LoggerMessage(1005, LogLevel.Error, "Unhandled exception")]
    public static partial void UnhandledException(this ILogger logger, Exception exception);

    /// <summary>The proxy stops while requests run.</summary>
    [LoggerMessage(1006, LogLevel.Information, "Stopping: waiting for {Count} requests, at most {Seconds} s (Shutdown:Drain)")]
    public static partial void DrainStarted(this ILogger logger, int count, double seconds);

    /// <summary>Requests ran longer than the drain.</summary>
    [LoggerMessage(1007, LogLevel.Warning, "Stopping: {Count} requests did not end in time and are aborted (Shutdown:Drain)")]
    public static partial void DrainEnded(this ILogger logger, int count);

    /// <summary>A backend failed the test at the start.</summary>
    [LoggerMessage(1008, LogLevel.Warning, "Backend {Backend}: {Check} failed: {Detail}. Remedy: {Remedy}")]
    public static partial void BackendTestFailed(this ILogger logger, string backend, string check, string detail, string remedy);

    /// <summary>The certificate of the listeners was replaced.</summary>
    [LoggerMessage(1031, LogLevel.Information, "The certificate of the listeners was replaced")]
    public static partial void ServerCertificateRenewed(this ILogger logger);

    /// <summary>New files of the certificate of the listeners are not usable.</summary>
    [LoggerMessage(1032, LogLevel.Warning, "The listeners keep their certificate, the new files of Security:Tls cannot be used: {Reason}")]
    public static partial void ServerCertificateKept(this ILogger logger, string reason);

    /// <summary>A handler of an event threw.</summary>
    [LoggerMessage(1101, LogLevel.Error, "A subscriber to {Event} failed")]
    public static partial void SubscriberFailed(this ILogger logger, Exception exception, string @event);

    /// <summary>A handler of an event was too slow.</summary>
    [LoggerMessage(1102, LogLevel.Warning, "A subscriber to {Event} was too slow and missed {Lost} events")]
    public static partial void SubscriberTooSlow(this ILogger logger, string @event, long lost);

    /// <summary>A request to a backend failed. The text ends with the remedy and the trace, if they are known.</summary>
    [LoggerMessage(1201, LogLevel.Warning, "Backend {Backend} did not answer {Request}: {Reason}, {Detail}.{Remedy}{Trace}")]
    public static partial void BackendFailed(
        this ILogger logger, string backend, string request, string reason, string detail, string remedy, string trace);

    /// <summary>A summary of repeated failures of a backend.</summary>
    [LoggerMessage(1202, LogLevel.Warning, "Backend {Backend} failed {Count} more times within a second: {Reason}")]
    public static partial void BackendFailedRepeatedly(this ILogger logger, string backend, int count, string reason);

    /// <summary>A backend's state changed.</summary>
    [LoggerMessage(1203, LogLevel.Warning, "Backend {Backend} is now {State}")]
    public static partial void BackendChanged(this ILogger logger, string backend, string state);

    /// <summary>There is no access token for a backend.</summary>
    [LoggerMessage(
        1204, LogLevel.Warning, "Backend {Backend}: no new access token: {Reason}. The token endpoint is not asked again for {Seconds} s")]
    public static partial void TokenRequestFailed(this ILogger logger, string backend, string reason, int seconds);

    /// <summary>A client certificate was replaced.</summary>
    [LoggerMessage(1205, LogLevel.Information, "Backend {Backend}: the client certificate was replaced")]
    public static partial void ClientCertificateRenewed(this ILogger logger, string backend);

    /// <summary>A new client certificate is not usable.</summary>
    [LoggerMessage(1206, LogLevel.Warning, "Backend {Backend} keeps its client certificate, its new files cannot be used: {Reason}")]
    public static partial void ClientCertificateKept(this ILogger logger, string backend, string reason);

    /// <summary>A backend's answer contains results without a valid UID.</summary>
    [LoggerMessage(1211, LogLevel.Warning, "Backend {Backend}: omitted {Count} results without a valid UID")]
    public static partial void RowsOmitted(this ILogger logger, string backend, int count);

    /// <summary>A backend's answer contains invalid DICOM JSON.</summary>
    [LoggerMessage(1212, LogLevel.Warning, "Backend {Backend}: omitted {Count} attributes that are not valid DICOM JSON")]
    public static partial void AttributesOmitted(this ILogger logger, string backend, int count);

    /// <summary>The cache folder is usable.</summary>
    [LoggerMessage(1301, LogLevel.Information, "Cache folder {Folder} is ready")]
    public static partial void FolderReady(this ILogger logger, string folder);

    /// <summary>The cache folder is not usable.</summary>
    [LoggerMessage(1302, LogLevel.Warning, "Cache folder {Folder} is {State}: {Reason}. Requests continue without it")]
    public static partial void FolderFailed(this ILogger logger, string folder, string state, string reason);

    /// <summary>A request could not use the cache folder.</summary>
    [LoggerMessage(1303, LogLevel.Error, "The cache folder failed during a request; the request continues without it")]
    public static partial void DiskAccessFailed(this ILogger logger, Exception exception);

    /// <summary>A key that encrypted a part of the cache folder is not configured. Written once for each key.</summary>
    [LoggerMessage(1304, LogLevel.Warning, "The key {Key} of the cache folder is not configured: nothing that it encrypted is served")]
    public static partial void RestKeyMissing(this ILogger logger, string key);

    /// <summary>The key file was changed to something that is not a list of keys.</summary>
    [LoggerMessage(1305, LogLevel.Error, "The key file of the cache folder is invalid now; the previous keys stay in effect")]
    public static partial void RestKeysInvalid(this ILogger logger);

    /// <summary>The keys of the cache folder were changed.</summary>
    [LoggerMessage(1306, LogLevel.Information, "The keys of the cache folder changed: {Key} writes, {Count} keys read")]
    public static partial void RestKeysChanged(this ILogger logger, string key, int count);

    /// <summary>Unencrypted content of the cache folder is deleted, because it is encrypted from now on.</summary>
    [LoggerMessage(1307, LogLevel.Warning, "The cache folder is encrypted from now on; its unencrypted content is deleted")]
    public static partial void PlainFolderEmptied(this ILogger logger);

    /// <summary>A database is replaced by an empty one.</summary>
    [LoggerMessage(1401, LogLevel.Warning, "Database {Database} is damaged or has another version and is replaced: {Reason}")]
    public static partial void DatabaseReplaced(this ILogger logger, string database, string reason);

    /// <summary>A series has a new owner.</summary>
    [LoggerMessage(1411, LogLevel.Information, "A series is now read from backend {Backend} instead of {From}")]
    public static partial void SeriesMoved(this ILogger logger, string backend, string from);

    /// <summary>Entries were not written to the cache folder.</summary>
    [LoggerMessage(1501, LogLevel.Error, "Writing to the cache folder failed")]
    public static partial void DiskWriterFailed(this ILogger logger, Exception exception);

    /// <summary>A cache entry on disk is damaged.</summary>
    [LoggerMessage(1502, LogLevel.Warning, "A cache entry was damaged on disk; it is deleted and fetched again")]
    public static partial void EntryDamaged(this ILogger logger);

    /// <summary>Removed entries stay on disk for now.</summary>
    [LoggerMessage(
        1503, LogLevel.Warning,
        "Removed entries cannot be deleted from the cache folder now; they are not served and are deleted once the disk is writable")]
    public static partial void RemovalPostponed(this ILogger logger);

    /// <summary>The cache is full. Written at most once a minute for each tier.</summary>
    [LoggerMessage(
        1504, LogLevel.Information,
        "The {Tier} tier of the cache is full: {Count} entries were evicted within a minute; {Key} sets its size")]
    public static partial void EntriesEvicted(this ILogger logger, string tier, long count, string key);

    /// <summary>Two backends disagree about the patient of a study.</summary>
    [LoggerMessage(
        1601, LogLevel.Warning, "Backends {First} and {Second} assign a study to different patients; level Debug names the study")]
    public static partial void IdentityConflicted(this ILogger logger, string first, string second);

    /// <summary>The study about whose patient two backends disagree.</summary>
    [LoggerMessage(1602, LogLevel.Debug, "Backends {First} and {Second} assign study {Study} to different patients")]
    public static partial void ConflictingStudy(this ILogger logger, string first, string second, string study);

    /// <summary>A frame of a cached instance is not usable.</summary>
    [LoggerMessage(
        1701, LogLevel.Warning,
        "A frame that was cut out of a cached instance of backend {Backend} is invalid; the backend is asked for it")]
    public static partial void CutFrameRefused(this ILogger logger, string backend);

    /// <summary>A cached frame is not usable.</summary>
    [LoggerMessage(
        1702, LogLevel.Warning,
        "A frame of backend {Backend} was cached with a length that its metadata contradicts; it is removed and fetched again")]
    public static partial void CachedFrameRefused(this ILogger logger, string backend);

    /// <summary>The engine of the codecs is missing.</summary>
    [LoggerMessage(
        1801, LogLevel.Warning,
        "The library wasmtime cannot be loaded on this platform: only uncompressed and RLE frames can be decoded and rendered")]
    public static partial void CodecsMissing(this ILogger logger);

    /// <summary>The codecs cannot run.</summary>
    [LoggerMessage(1802, LogLevel.Error, "The codecs cannot run: only uncompressed and RLE frames can be decoded and rendered")]
    public static partial void CodecsUnavailable(this ILogger logger, Exception exception);

    /// <summary>Audit records cannot be written.</summary>
    [LoggerMessage(
        1901, LogLevel.Error,
        "Audit records cannot be written: {Reason}. Audit:OnFailure is {Mode}; records wait in memory. Free the disk, or repair the sink")]
    public static partial void AuditNotWritten(this ILogger logger, string reason, string mode);

    /// <summary>Audit records are written again.</summary>
    [LoggerMessage(1902, LogLevel.Information, "Audit records are written again")]
    public static partial void AuditWritten(this ILogger logger);

    /// <summary>Audit records were lost.</summary>
    [LoggerMessage(
        1903, LogLevel.Error,
        "{Count} audit records were lost: the disk or the sink failed for too long. Enlarge Audit:MaxPendingBytes, or set Audit:OnFailure")]
    public static partial void AuditRecordsLost(this ILogger logger, long count);

    /// <summary>A sink takes no audit records.</summary>
    [LoggerMessage(
        1904, LogLevel.Warning,
        "Audit records cannot be delivered to {Sink}: {Reason}. They wait in the outbox, and are delivered when it works again")]
    public static partial void AuditSinkFailed(this ILogger logger, string sink, string reason);

    /// <summary>A sink takes audit records again.</summary>
    [LoggerMessage(1905, LogLevel.Information, "Audit records are delivered to {Sink} again")]
    public static partial void AuditSinkRecovered(this ILogger logger, string sink);

    /// <summary>The warm-up failed or took too long.</summary>
    [LoggerMessage(1009, LogLevel.Warning, "The warm-up did not complete: {Reason}. The first requests take longer")]
    public static partial void WarmUpFailed(this ILogger logger, string reason);

    /// <summary>A prefetch job failed inside the proxy.</summary>
    [LoggerMessage(2001, LogLevel.Error, "Unhandled exception in a prefetch job")]
    public static partial void PrefetchFailed(this ILogger logger, Exception exception);

    /// <summary>A prefetch job was planned.</summary>
    [LoggerMessage(2002, LogLevel.Debug, "Prefetch job {Job} ({Why}): {Count} studies")]
    public static partial void PrefetchPlanned(this ILogger logger, string job, string why, int count);

    /// <summary>A prefetch job ended.</summary>
    [LoggerMessage(2003, LogLevel.Debug, "Prefetch job {Job} ended: {State}, {Bytes} bytes fetched")]
    public static partial void PrefetchEnded(this ILogger logger, string job, string state, long bytes);

    /// <summary>The keys of the identity provider are known.</summary>
    [LoggerMessage(2101, LogLevel.Information, "Read {Count} keys of the identity provider: users can authenticate")]
    public static partial void IssuerKeysRead(this ILogger logger, int count);

    /// <summary>The keys of the identity provider could not be read.</summary>
    [LoggerMessage(2102, LogLevel.Warning, "The keys of the identity provider cannot be read: {Reason}; {Effect}")]
    public static partial void IssuerKeysUnreadable(this ILogger logger, string reason, string effect);

    /// <summary>The external decision point gave no decision.</summary>
    [LoggerMessage(2201, LogLevel.Warning, "The decision point gave no decision: {Reason}. Studies that no rule allows are denied")]
    public static partial void DecisionPointFailed(this ILogger logger, string reason);

    /// <summary>A user opens denied studies. The audit has the reason and what was opened.</summary>
    [LoggerMessage(2202, LogLevel.Warning, "Emergency access: user {User}")]
    public static partial void EmergencyGranted(this ILogger logger, string user);

    /// <summary>The engine of the cluster is not used.</summary>
    [LoggerMessage(2301, LogLevel.Warning, "The shared cache is not used: {Reason}. Requests use the local cache and the backends")]
    public static partial void EngineFailed(this ILogger logger, string reason);

    /// <summary>The engine of the cluster is used.</summary>
    [LoggerMessage(2302, LogLevel.Information, "The shared cache is used")]
    public static partial void EngineRecovered(this ILogger logger);

    /// <summary>Changes of other nodes are lost.</summary>
    [LoggerMessage(
        2303, LogLevel.Warning, "The local cache is dropped: purges of other proxies may be lost with the log of the shared cache")]
    public static partial void LocalCacheDropped(this ILogger logger);

    /// <summary>A peer wanted to store instances that no running C-MOVE requested.</summary>
    [LoggerMessage(
        2401, LogLevel.Warning,
        "The receiver of C-MOVE refused {What} that no running C-MOVE requested. "
        + "A PACS must store with the AE title that is its CalledAeTitle")]
    public static partial void StoreRefused(this ILogger log, string what);
}
