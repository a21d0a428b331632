namespace Proxy.Cache.OnDisk;

/// <summary>A change to the disk.</summary>
internal abstract record DiskJob
{
    /// <summary>Writes a small body, which is in memory until then.</summary>
    public sealed record Write(EntryKey Key, Entry Entry) : DiskJob
    {
        private volatile bool _isPrefetched = Entry.IsPrefetched;

        /// <summary>True when it was prefetched and no client has asked for it while queued.</summary>
        public bool IsPrefetched => _isPrefetched;

        /// <summary>Marks it as used by a client.</summary>
        public void Use() => _isPrefetched = false;
    }

    /// <summary>Stores a spooled body from tmp/. A caller waits; a client may request the body until it is stored.</summary>
    public sealed record Commit(Spool Spool, Func<bool> IsPrefetched, TaskCompletionSource<bool> Done) : DiskJob;

    /// <summary>Reserves room for a body that arrives in a file. A caller waits.</summary>
    public sealed record MakeRoom(long Bytes, TaskCompletionSource<bool> Done) : DiskJob;

    /// <summary>Removes entries. A caller may wait.</summary>
    public sealed record Remove(Removal Removal, TaskCompletionSource<bool> Done) : DiskJob;

    /// <summary>Recounts a folder that holds fewer files than its row says.</summary>
    public sealed record Count(EntryKey Key) : DiskJob;

    /// <summary>Removes the series whose oldest entry is from before a time.</summary>
    public sealed record Expire(DateTimeOffset Before) : DiskJob;

    /// <summary>Removes the entries of backends that are no longer configured.</summary>
    public sealed record RemoveUnconfigured : DiskJob;
}
