namespace Proxy.Audit.Delivery;

/// <summary>Where records end: a folder of files, or a syslog server.</summary>
internal interface IAuditSink
{
    /// <summary>The name in logs, metrics and in the outbox.</summary>
    public string Name { get; }

    /// <summary>Delivers records in order. An exception means that all of them are delivered again later.</summary>
    public Task SendAsync(IReadOnlyList<AuditRecord> records, CancellationToken cancellation);

    /// <summary>Closes what the last attempt left open, such as a connection; the next attempt opens it again.</summary>
    public Task CloseAsync();
}
