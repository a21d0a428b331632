using Microsoft.Data.Sqlite;

namespace Proxy.Disk;

/// <summary>One database connection with its prepared statements.</summary>
public sealed class SqliteSession : IDisposable
{
    private readonly SqliteConnection _connection;
    private readonly Dictionary<string, SqliteCommand> _commands = [];
    private SqliteTransaction? _transaction;

    /// <summary>Opens the database file.</summary>
    public SqliteSession(string path)
    {
        var settings = new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Pooling = false,
            DefaultTimeout = (int)CacheFolder.Timeout.TotalSeconds,
        };
        _connection = new SqliteConnection(settings.ToString());
        try
        {
            _connection.Open();
            // Deleted rows are overwritten with zeros: a purge leaves nothing in free pages.
            Run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY; PRAGMA secure_delete = ON;");
        }
        catch
        {
            _connection.Dispose();
            throw;
        }
    }

    /// <summary>Prepares a statement with its values for <c>$1</c>, <c>$2</c> …</summary>
    public SqliteCommand Prepare(string sql, params ReadOnlySpan<object?> values)
    {
        if (!_commands.TryGetValue(sql, out var command))
        {
            command = _connection.CreateCommand();
            command.CommandText = sql;
            for (var i = 0; i < values.Length; i++) command.Parameters.Add(new SqliteParameter { ParameterName = $"${i + 1}" });
            _commands.Add(sql, command);
        }
        // A transaction that has ended has no connection.
        command.Transaction = _transaction?.Connection is null ? null : _transaction;
        for (var i = 0; i < values.Length; i++) command.Parameters[i].Value = values[i] ?? DBNull.Value;
        return command;
    }

    /// <summary>Runs a statement.</summary>
    public void Run(string sql, params ReadOnlySpan<object?> values) => Prepare(sql, values).ExecuteNonQuery();

    /// <summary>The single number that a query returns; 0 when it returns none.</summary>
    public long Number(string sql, params ReadOnlySpan<object?> values) => Prepare(sql, values).ExecuteScalar() is long number ? number : 0;

    /// <summary>Begins a write transaction.</summary>
    public SqliteTransaction Begin() => _transaction = _connection.BeginTransaction(deferred: false);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var command in _commands.Values) command.Dispose();
        _connection.Dispose();
    }
}
