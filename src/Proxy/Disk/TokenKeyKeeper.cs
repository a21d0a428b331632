using System.Security.Cryptography;
using Proxy.Wire;

namespace Proxy.Disk;

/// <summary>Keeps the key of <see cref="BulkTokens"/> in the cache folder, so that a viewer's links outlive a restart.</summary>
/// <remarks>
/// Without a folder, or while it cannot be used, the key is this process's own. A folder that is taken later is looked at
/// then; its key signs from there on, and links under the first key stay good until the process ends.
/// </remarks>
public sealed class TokenKeyKeeper(CacheFolder folder, BulkTokens tokens, TimeProvider time) : BackgroundService
{
    private const string Name = "links.key";

    private static readonly TimeSpan Every = TimeSpan.FromSeconds(5);

    /// <summary>The folder that the key was read from or written to, as <see cref="CacheFolder.OwnershipEpoch"/> counts.</summary>
    private int _taken;

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await LoadAsync(cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!folder.IsConfigured) return;
        using var timer = new PeriodicTimer(Every, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) await LoadAsync(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    private async Task LoadAsync(CancellationToken cancellation)
    {
        var taken = folder.OwnershipEpoch;
        if (taken == _taken) return;
        // A read that failed is no missing key: then the folder cannot be written either, and the next look decides.
        var key = await folder.RunAsync(Read, cancellation) ?? await folder.RunAsync(Write, cancellation, writes: true);
        if (key is null) return;
        tokens.Use(key);
        _taken = taken;
    }

    /// <returns>Null when there is none.</returns>
    private byte[]? Read()
    {
        var file = new FileInfo(folder.GetPath(Name));
        return file.Exists && file.Length == BulkTokens.KeyBytes ? File.ReadAllBytes(file.FullName) : null;
    }

    private byte[] Write()
    {
        var key = RandomNumberGenerator.GetBytes(BulkTokens.KeyBytes);
        var temporary = folder.GetPath("tmp", Name);
        using (var stream = new FileStream(temporary, CacheFolder.NewFile(FileMode.Create)))
        {
            stream.Write(key);
            stream.Flush(flushToDisk: true);
        }
        File.Move(temporary, folder.GetPath(Name), overwrite: true);
        return key;
    }
}
