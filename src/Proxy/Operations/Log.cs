namespace Proxy.Operations;

/// <summary>Every line that the product logs. Backends and UIDs may be named, patients and what they are asked by never.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Error, "A subscriber to {Event} failed")]
    public static partial void SubscriberFailed(this ILogger logger, Exception exception, string @event);

    [LoggerMessage(2, LogLevel.Warning, "Backend {Backend} did not answer {Path}: {Error}, {Detail}")]
    public static partial void BackendFailed(this ILogger logger, string backend, string path, string error, string detail);

    [LoggerMessage(3, LogLevel.Error, "Changed settings are refused, the old ones stay: {Errors}")]
    public static partial void SettingsRefused(this ILogger logger, string errors);

    [LoggerMessage(4, LogLevel.Information, "Settings reloaded: backends {Backends}; changed: {Keys}")]
    public static partial void SettingsTaken(this ILogger logger, string backends, string keys);

    [LoggerMessage(5, LogLevel.Error, "A request failed by a fault of the proxy")]
    public static partial void RequestFailed(this ILogger logger, Exception exception);

    [LoggerMessage(6, LogLevel.Warning, "Backend {Backend}: {Count} results without a valid UID were left out")]
    public static partial void RowsLeftOut(this ILogger logger, string backend, int count);

    [LoggerMessage(7, LogLevel.Warning, "These settings do nothing in this version: {Keys}")]
    public static partial void SettingsUnused(this ILogger logger, string keys);

    [LoggerMessage(8, LogLevel.Warning, "Backend {Backend} is now {State}")]
    public static partial void BackendChanged(this ILogger logger, string backend, string state);

    [LoggerMessage(9, LogLevel.Warning, "Backends {First} and {Second} ascribe study {Study} to different patients")]
    public static partial void IdentityConflicted(this ILogger logger, string first, string second, string study);

    [LoggerMessage(10, LogLevel.Information, "What is kept in {Folder} can be used")]
    public static partial void FolderReady(this ILogger logger, string folder);

    [LoggerMessage(11, LogLevel.Warning, "The cache folder {Folder} is {State}: {Reason}. Requests go on without it")]
    public static partial void FolderFailed(this ILogger logger, string folder, string state, string reason);

    [LoggerMessage(12, LogLevel.Warning, "{Database} is damaged or of another version, and is made anew: {Reason}")]
    public static partial void DatabaseReplaced(this ILogger logger, string database, string reason);

    [LoggerMessage(13, LogLevel.Error, "What was to be written to the cache folder is not kept")]
    public static partial void DiskWriterFailed(this ILogger logger, Exception exception);

    [LoggerMessage(14, LogLevel.Warning, "A kept body was damaged on disk; it is dropped and asked for again")]
    public static partial void EntryDamaged(this ILogger logger);

    [LoggerMessage(15, LogLevel.Warning, "A subscriber to {Event} was too slow: {Lost} events passed it by")]
    public static partial void SubscriberLate(this ILogger logger, string @event, long lost);

    [LoggerMessage(16, LogLevel.Error, "A prefetch failed by a fault of the proxy")]
    public static partial void PrefetchFailed(this ILogger logger, Exception exception);

    [LoggerMessage(20, LogLevel.Warning, "These changed settings take effect after a restart: {Keys}")]
    public static partial void SettingsNeedRestart(this ILogger logger, string keys);

    [LoggerMessage(30, LogLevel.Warning, "Backend {Backend} failed {Count} more times within a second: {Error}")]
    public static partial void BackendFailedMore(this ILogger logger, string backend, int count, string error);

    [LoggerMessage(40, LogLevel.Warning, "Backend {Backend}: {Count} attributes that are not valid DICOM JSON were left out")]
    public static partial void AttributesLeftOut(this ILogger logger, string backend, int count);

    [LoggerMessage(
        50, LogLevel.Warning,
        "What a backend no longer holds cannot be deleted from the cache folder now; it is not served, and is deleted when the disk can be written")]
    public static partial void RemovalPostponed(this ILogger logger);

    [LoggerMessage(51, LogLevel.Error, "The cache folder could not be used for a request, which goes on without it")]
    public static partial void DiskWorkFailed(this ILogger logger, Exception exception);
}
