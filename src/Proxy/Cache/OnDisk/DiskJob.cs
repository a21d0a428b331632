namespace Proxy.Cache.OnDisk;

/// <summary>What is to be changed on disk.</summary>
internal abstract record DiskJob
{
    /// <summary>A small body, in memory until it is written.</summary>
    public sealed record Write(EntryKey Key, Entry Entry) : DiskJob
    {
        private volatile bool _isPrefetched = Entry.IsPrefetched;

        /// <summary>It was fetched ahead, and nobody asked for it while it waited here.</summary>
        public bool IsPrefetched => _isPrefetched;

        /// <summary>Somebody asked for it.</summary>
        public void Use() => _isPrefetched = false;
    }

    /// <summary>A large one, in tmp/ already. Somebody waits for it; somebody may ask for it until it is in its place.</summary>
    public sealed record Commit(Spool Spool, Func<bool> IsPrefetched, TaskCompletionSource<bool> Done) : DiskJob;

    /// <summary>A large body on its way needs room. Somebody waits for it.</summary>
    public sealed record MakeRoom(long Bytes, TaskCompletionSource<bool> Done) : DiskJob;

    /// <summary>Something is to go. Somebody may wait for it.</summary>
    public sealed record Remove(Removal Removal, TaskCompletionSource<bool> Done) : DiskJob;

    /// <summary>Somebody found less in a folder than the index says.</summary>
    public sealed record Count(EntryKey Key) : DiskJob;

    /// <summary>What is left of backends that are not configured any more is to go.</summary>
    public sealed record RemoveStrangers : DiskJob;
}
