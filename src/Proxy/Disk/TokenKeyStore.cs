using System.Security.Cryptography;
using Proxy.Wire;

namespace Proxy.Disk;

/// <summary>Stores the key of <see cref="BulkTokens"/> in the cache folder, so that links in viewers survive a restart.</summary>
/// <remarks>
/// Without a usable folder the process has a key of its own. When the folder is acquired later, its key signs from then on, and links
/// signed with the first key stay valid until the process ends.
/// </remarks>
public sealed class TokenKeyStore(CacheFolder folder, BulkTokens tokens, TimeProvider time) : BackgroundService
{
    private const string Name = "links.key";
    private const int MaxBytes = 1024;

    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(5);

    /// <summary>The <see cref="CacheFolder.OwnershipEpoch"/> at which the key was read or written.</summary>
    private int _ownershipEpoch;

    /// <summary>Loads the key before the first request.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await LoadAsync(cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!folder.IsConfigured) return;
        using var timer = new PeriodicTimer(CheckInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) await LoadAsync(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Shutdown.
        }
    }

    private async Task LoadAsync(CancellationToken cancellation)
    {
        var epoch = folder.OwnershipEpoch;
        if (epoch == _ownershipEpoch) return;
        // After a failed read the folder cannot be written to either, so an existing key is never overwritten; the next check retries.
        var key = await folder.RunAsync(Read, cancellation) ?? await folder.RunAsync(Write, cancellation, writes: true);
        if (key is null) return;
        tokens.Use(key);
        _ownershipEpoch = epoch;
    }

    /// <summary>Reads the stored key.</summary>
    /// <returns>Null when there is no valid key.</returns>
    private byte[]? Read()
    {
        var file = new FileInfo(folder.GetPath(Name));
        if (!file.Exists || file.Length > MaxBytes) return null;
        var key = folder.Seal.Open(File.ReadAllBytes(file.FullName), Name);
        return key.Length == BulkTokens.KeyBytes ? key.ToArray() : null;
    }

    private byte[] Write()
    {
        var key = RandomNumberGenerator.GetBytes(BulkTokens.KeyBytes);
        folder.WriteWhole(Name, folder.Seal.Seal(key, Name));
        return key;
    }
}
