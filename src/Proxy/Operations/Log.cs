namespace Proxy.Operations;

/// <summary>All log messages of the proxy. They may name backends and UIDs, but never patients or search values.</summary>
internal static partial class Log
{
    /// <summary>A handler of an event threw.</summary>
    [LoggerMessage(1, LogLevel.Error, "A subscriber to {Event} failed")]
    public static partial void SubscriberFailed(this ILogger logger, Exception exception, string @event);

    /// <summary>A request to a backend failed.</summary>
    [LoggerMessage(2, LogLevel.Warning, "Backend {Backend} did not answer {Path}: {Error}, {Detail}")]
    public static partial void BackendFailed(this ILogger logger, string backend, string path, string error, string detail);

    /// <summary>A settings reload has errors.</summary>
    [LoggerMessage(3, LogLevel.Error, "Changed settings are invalid; the previous settings stay in effect: {Errors}")]
    public static partial void SettingsInvalid(this ILogger logger, string errors);

    /// <summary>A settings reload took effect.</summary>
    [LoggerMessage(4, LogLevel.Information, "Settings reloaded: backends {Backends}; changed: {Keys}")]
    public static partial void SettingsReloaded(this ILogger logger, string backends, string keys);

    /// <summary>The proxy itself failed.</summary>
    [LoggerMessage(5, LogLevel.Error, "Unhandled exception")]
    public static partial void UnhandledException(this ILogger logger, Exception exception);

    /// <summary>A backend's answer contains results without a valid UID.</summary>
    [LoggerMessage(6, LogLevel.Warning, "Backend {Backend}: omitted {Count} results without a valid UID")]
    public static partial void RowsOmitted(this ILogger logger, string backend, int count);

    /// <summary>Settings are present that this version ignores.</summary>
    [LoggerMessage(7, LogLevel.Warning, "These settings have no effect in this version: {Keys}")]
    public static partial void SettingsUnused(this ILogger logger, string keys);

    /// <summary>A backend's state changed.</summary>
    [LoggerMessage(8, LogLevel.Warning, "Backend {Backend} is now {State}")]
    public static partial void BackendChanged(this ILogger logger, string backend, string state);

    /// <summary>Two backends disagree about the patient of a study.</summary>
    [LoggerMessage(9, LogLevel.Warning, "Backends {First} and {Second} assign study {Study} to different patients")]
    public static partial void IdentityConflicted(this ILogger logger, string first, string second, string study);

    /// <summary>The cache folder is usable.</summary>
    [LoggerMessage(10, LogLevel.Information, "Cache folder {Folder} is ready")]
    public static partial void FolderReady(this ILogger logger, string folder);

    /// <summary>The cache folder is not usable.</summary>
    [LoggerMessage(11, LogLevel.Warning, "Cache folder {Folder} is {State}: {Reason}. Requests continue without it")]
    public static partial void FolderFailed(this ILogger logger, string folder, string state, string reason);

    /// <summary>A database is replaced by an empty one.</summary>
    [LoggerMessage(12, LogLevel.Warning, "Database {Database} is damaged or has another version and is replaced: {Reason}")]
    public static partial void DatabaseReplaced(this ILogger logger, string database, string reason);

    /// <summary>Entries were not written to the cache folder.</summary>
    [LoggerMessage(13, LogLevel.Error, "Writing to the cache folder failed")]
    public static partial void DiskWriterFailed(this ILogger logger, Exception exception);

    /// <summary>A cache entry on disk is damaged.</summary>
    [LoggerMessage(14, LogLevel.Warning, "A cache entry was damaged on disk; it is deleted and fetched again")]
    public static partial void EntryDamaged(this ILogger logger);

    /// <summary>A handler of an event was too slow.</summary>
    [LoggerMessage(15, LogLevel.Warning, "A subscriber to {Event} was too slow and missed {Lost} events")]
    public static partial void SubscriberTooSlow(this ILogger logger, string @event, long lost);

    /// <summary>A prefetch job failed inside the proxy.</summary>
    [LoggerMessage(16, LogLevel.Error, "Unhandled exception in a prefetch job")]
    public static partial void PrefetchFailed(this ILogger logger, Exception exception);

    /// <summary>A settings reload changed settings that are read at the start only.</summary>
    [LoggerMessage(20, LogLevel.Warning, "These changed settings take effect after a restart: {Keys}")]
    public static partial void SettingsNeedRestart(this ILogger logger, string keys);

    /// <summary>A summary of repeated failures of a backend.</summary>
    [LoggerMessage(30, LogLevel.Warning, "Backend {Backend} failed {Count} more times within a second: {Error}")]
    public static partial void BackendFailedRepeatedly(this ILogger logger, string backend, int count, string error);

    /// <summary>A backend's answer contains invalid DICOM JSON.</summary>
    [LoggerMessage(40, LogLevel.Warning, "Backend {Backend}: omitted {Count} attributes that are not valid DICOM JSON")]
    public static partial void AttributesOmitted(this ILogger logger, string backend, int count);

    /// <summary>Removed entries stay on disk for now.</summary>
    [LoggerMessage(
        50, LogLevel.Warning,
        "Removed entries cannot be deleted from the cache folder now; they are not served and are deleted once the disk is writable")]
    public static partial void RemovalPostponed(this ILogger logger);

    /// <summary>A request could not use the cache folder.</summary>
    [LoggerMessage(51, LogLevel.Error, "The cache folder failed during a request; the request continues without it")]
    public static partial void DiskAccessFailed(this ILogger logger, Exception exception);

    [LoggerMessage(
        60, LogLevel.Warning,
        "{Path}, cut out of a cached instance of backend {Backend}, is not a valid frame; the backend is asked for it")]
    public static partial void CutFrameRefused(this ILogger logger, string backend, string path);

    [LoggerMessage(
        61, LogLevel.Warning,
        "{Path} of backend {Backend} was cached with a length that its metadata contradicts; it is removed and fetched again")]
    public static partial void CachedFrameRefused(this ILogger logger, string backend, string path);
}
